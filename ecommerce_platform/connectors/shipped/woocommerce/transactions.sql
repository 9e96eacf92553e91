-- One row per order. The total is that of its items: without shipping, fees and taxes.
select
    sales.order_id as transaction_id,
    sales.customer_id,
    coalesce(cast(sales.day as varchar), sales.order_date) as transaction_date,
    strftime(sales.moment, '%H:%M:%S') as transaction_time,
    coalesce(sales.payment_method, 'Unknown') as payment_method,
    sales.shipping_address,
    sales.shipping_city,
    state_code(sales.shipping_state) as shipping_state,
    money(coalesce(sum(lines.line_total), 0)) as total_amount,
    sales.currency,
    sales.day
from sales
left join lines on sales.order_id = lines.order_id
where not sales.is_unpaid
group by all
