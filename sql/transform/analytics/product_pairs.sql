-- analytics.product_pairs: the 200 pairs of products with the highest lift, of the last 90 days of sales. A pair needs 10 orders,
-- and a thousandth of all orders: below, lift is mostly chance.
with recent as (
    select
        max(last.sale_date) - 89 as first_date,
        max(last.sale_date) as last_date
    from warehouse.agg_daily_sales as last
),

whole as (
    select
        recent.first_date,
        recent.last_date,
        sum(days.orders)::bigint as orders,
        sum(days.large_orders)::bigint as large_orders
    from recent
    inner join warehouse.agg_daily_sales as days on days.sale_date >= recent.first_date
    group by recent.first_date, recent.last_date
),

bought as (
    select
        days.product_id,
        sum(days.orders)::bigint as orders
    from recent
    inner join warehouse.mart_product_daily as days on days.sale_date >= recent.first_date
    group by days.product_id
),

together as (
    select
        pairs.product_id,
        pairs.other_product_id,
        sum(pairs.orders)::bigint as orders
    from warehouse.mart_product_pairs as pairs
    group by pairs.product_id, pairs.other_product_id
    having sum(pairs.orders) >= (select greatest(10, whole.orders / 1000.0) from whole)
),

measured as (
    select
        together.product_id,
        together.other_product_id,
        together.orders as orders_together,
        bought.orders as product_orders,
        bought_too.orders as other_product_orders,
        warehouse.lift(together.orders, bought.orders, bought_too.orders, whole.orders) as lift,
        whole.orders,
        whole.large_orders,
        whole.first_date,
        whole.last_date
    from together
    cross join whole
    inner join bought on together.product_id = bought.product_id
    inner join bought as bought_too on together.other_product_id = bought_too.product_id
)

select
    row_number() over by_lift::integer as pair_rank,
    products.product_code,
    products.product_name,
    products.category,
    others.product_code as other_product_code,
    others.product_name as other_product_name,
    others.category as other_category,
    measured.orders_together,
    measured.product_orders,
    measured.other_product_orders,
    warehouse.share(measured.orders_together, measured.orders) as support,
    warehouse.share(measured.orders_together, measured.product_orders) as confidence,
    warehouse.share(measured.orders_together, measured.other_product_orders) as other_confidence,
    measured.lift,
    measured.orders,
    measured.large_orders,
    measured.first_date,
    measured.last_date as as_of_date
from measured
inner join warehouse.dim_product as products on measured.product_id = products.product_id and products.is_current
inner join warehouse.dim_product as others on measured.other_product_id = others.product_id and others.is_current
where measured.lift > 1
window
    by_lift as (
        order by measured.lift desc, measured.orders_together desc, measured.product_id, measured.other_product_id
    )
order by pair_rank
limit 200
