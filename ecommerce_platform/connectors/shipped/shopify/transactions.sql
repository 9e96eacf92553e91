-- One row per order that was or will be paid. The total is that of its lines: without shipping and without taxes on top.
select
    sales.order_id as transaction_id,
    sales.customer_id,
    coalesce(cast(sales.day as varchar), sales.created_at) as transaction_date,
    strftime(sales.moment, '%H:%M:%S') as transaction_time,
    coalesce(sales.payment_method, 'Unknown') as payment_method,
    sales.shipping_street as shipping_address,
    sales.shipping_city,
    state_code(sales.shipping_province) as shipping_state,
    money(coalesce(sum(lines.gross - lines.line_discount), 0)) as total_amount,
    sales.currency,
    sales.day
from sales
left join lines on sales.order_id = lines.order_id
where not sales.is_unpaid
group by all
