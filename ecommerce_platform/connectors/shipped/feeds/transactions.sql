-- Each order, on its own day.
select
    transaction_id,
    customer_id,
    coalesce(cast(cast(moment as date) as varchar), transaction_date) as transaction_date,
    -- A date may come with its time.
    coalesce(transaction_time, case when moment > day then strftime(moment, '%H:%M:%S') end) as transaction_time,
    payment_method,
    shipping_address,
    shipping_city,
    shipping_state,
    total_amount,
    currency,
    day
from transactions
