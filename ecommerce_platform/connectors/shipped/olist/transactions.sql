-- One row per order that was not cancelled and has items. The total is the sum of its items, without freight.
select
    sales.order_id as transaction_id,
    sales.customer_id,
    coalesce(cast(sales.day as varchar), sales.purchased_at) as transaction_date,
    strftime(sales.moment, '%H:%M:%S') as transaction_time,
    coalesce(sales.payment_type, 'Unknown') as payment_method,
    '' as shipping_address,
    sales.city as shipping_city,
    state_code(sales.state) as shipping_state,
    money(coalesce(sum(amount(items.price)), 0)) as total_amount,
    sales.day
from sales
inner join items on sales.order_id = items.order_id
where not sales.is_cancelled
group by all
