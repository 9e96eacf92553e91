-- One row per order, with the person behind it and the payment that paid most of it.
with paid as (
    select
        order_id,
        payment_type,
        row_number() over (partition by order_id order by sum(amount(payment_value)) desc, payment_type) as place
    from payments
    group by order_id, payment_type
)

select
    orders.order_id,
    orders.moment,
    orders.day,
    orders.purchased_at,
    coalesce(customers.customer_unique_id, orders.customer_id) as customer_id,
    customers.zip,
    customers.city,
    customers.state,
    paid.payment_type,
    coalesce(lower(orders.status) in ('canceled', 'unavailable'), false) as is_cancelled
from orders
left join customers on orders.customer_id = customers.customer_id
left join paid on orders.order_id = paid.order_id and paid.place = 1
