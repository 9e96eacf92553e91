-- warehouse.mart_daily_breakdown: daily sales broken down by one dimension at a time, as of the sale date. An order has one
-- customer and one payment, so these are looked up once per order; its lines can have several categories and discounts. Orders
-- without a customer are in no segment: their member is 'Guest'.
with lines as not materialized (
    select
        facts.sale_date,
        facts.transaction_id,
        facts.customer_id,
        facts.customer_key,
        facts.payment_key,
        facts.product_key,
        facts.quantity,
        facts.unit_price,
        facts.discount_amount,
        facts.revenue,
        facts.cost
    from warehouse.fact_sales as facts
    left join scope on facts.sale_date = scope.sale_date
    where %(is_full_refresh)s or scope.sale_date is not null
),

orders as (
    select
        sale_date,
        transaction_id,
        min(customer_id) as customer_id,
        min(customer_key) as customer_key,
        min(payment_key) as payment_key,
        count(*) as lines,
        sum(quantity) as units,
        sum(discount_amount) as discount,
        sum(revenue) as revenue,
        coalesce(sum(revenue) filter (where cost is not null), 0) as costed_revenue,
        sum(cost) as cost
    from lines
    group by sale_date, transaction_id
),

order_sums as (
    select
        orders.sale_date,
        payments.payment_method,
        case when orders.customer_id is null then 'Guest' else customers.segment end as segment,
        customers.country || '-' || customers.state as state,
        count(*) as orders,
        sum(orders.lines) as lines,
        sum(orders.units) as units,
        sum(orders.discount) as discount,
        sum(orders.revenue) as revenue,
        sum(orders.costed_revenue) as costed_revenue,
        sum(orders.cost) as cost
    from orders
    inner join warehouse.dim_customer as customers on orders.customer_key = customers.customer_key
    inner join warehouse.dim_payment as payments on orders.payment_key = payments.payment_key
    group by
        orders.sale_date,
        payments.payment_method,
        case when orders.customer_id is null then 'Guest' else customers.segment end,
        customers.country || '-' || customers.state
),

members as (
    select
        order_sums.sale_date,
        member.breakdown,
        member.member,
        sum(order_sums.orders) as orders,
        sum(order_sums.lines) as lines,
        sum(order_sums.units) as units,
        sum(order_sums.discount) as discount,
        sum(order_sums.revenue) as revenue,
        sum(order_sums.costed_revenue) as costed_revenue,
        sum(order_sums.cost) as cost
    from order_sums
    cross join
        lateral (
            values
            ('payment_method', order_sums.payment_method),
            ('segment', order_sums.segment),
            ('state', order_sums.state)
        ) as member (breakdown, member)
    group by order_sums.sale_date, member.breakdown, member.member
    union all
    select
        lines.sale_date,
        'category' as breakdown,
        products.category as member,
        count(distinct lines.transaction_id) as orders,
        count(*) as lines,
        sum(lines.quantity) as units,
        sum(lines.discount_amount) as discount,
        sum(lines.revenue) as revenue,
        coalesce(sum(lines.revenue) filter (where lines.cost is not null), 0) as costed_revenue,
        sum(lines.cost) as cost
    from lines
    inner join warehouse.dim_product as products on lines.product_key = products.product_key
    group by lines.sale_date, products.category
    union all
    select
        sale_date,
        'discount_band' as breakdown,
        warehouse.discount_band(discount_amount, quantity * unit_price) as member,
        count(distinct transaction_id) as orders,
        count(*) as lines,
        sum(quantity) as units,
        sum(discount_amount) as discount,
        sum(revenue) as revenue,
        coalesce(sum(revenue) filter (where cost is not null), 0) as costed_revenue,
        sum(cost) as cost
    from lines
    group by sale_date, warehouse.discount_band(discount_amount, quantity * unit_price)
)

select
    sale_date,
    breakdown,
    member,
    orders::integer as orders,
    lines::integer as lines,
    units::bigint as units,
    discount,
    revenue,
    costed_revenue,
    cost,
    costed_revenue - cost as profit
from members
