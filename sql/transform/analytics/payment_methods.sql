-- analytics.payment_methods: sales by payment method.
select
    sales.member as payment_method,
    coalesce(payments.payment_group, 'Other') as payment_group,
    sum(sales.orders)::bigint as orders,
    sum(sales.revenue) as revenue,
    warehouse.average_order_value(sum(sales.revenue), sum(sales.orders)) as average_order_value,
    warehouse.share(sum(sales.orders), sum(sum(sales.orders)) over ()) as order_share,
    warehouse.share(sum(sales.revenue), sum(sum(sales.revenue)) over ()) as revenue_share
from warehouse.mart_daily_breakdown as sales
left join warehouse.dim_payment as payments on sales.member = payments.payment_method and payments.payment_key <> 0
where sales.breakdown = 'payment_method'
group by sales.member, payments.payment_group
order by sum(sales.orders) desc, sales.member
