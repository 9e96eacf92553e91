-- One row per invoice that is not a cancellation. An order without a customer is a guest's.
select
    invoice as transaction_id,
    max(customer) as customer_id,
    coalesce(cast(min(day) as varchar), max(invoice_date)) as transaction_date,
    strftime(min(moment), '%H:%M:%S') as transaction_time,
    'Unknown' as payment_method,
    '' as shipping_address,
    '' as shipping_city,
    '' as shipping_state,
    money(coalesce(sum(line_total), 0)) as total_amount,
    min(day) as day
from lines
where is_sale
group by invoice
