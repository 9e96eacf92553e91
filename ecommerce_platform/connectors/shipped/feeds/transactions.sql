-- Each order, on its own day.
select
    transaction_id,
    customer_id,
    transaction_date,
    transaction_time,
    payment_method,
    shipping_address,
    shipping_city,
    shipping_state,
    total_amount,
    day
from transactions
