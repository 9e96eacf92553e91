-- warehouse.mart_product_pairs: orders per day and pair of products, of the last 90 days of sales. An order counts once,
-- however many of its lines contain a product. Large orders are left out; agg_daily_sales counts them. Lines are read once, also
-- so that the planner knows how many there are: it took a day's for one, and compared each with each.
with lines as materialized (
    select
        facts.sale_date,
        facts.transaction_id,
        facts.product_id
    from warehouse.fact_sales as facts
    left join scope on facts.sale_date = scope.sale_date
    where
        (%(is_full_refresh)s or scope.sale_date is not null)
        and facts.sale_date > (select max(latest.sale_date) - 90 from warehouse.fact_sales as latest)
),

orders as (
    select transaction_id
    from lines
    group by transaction_id
    having count(*) > 1 and not warehouse.is_large_order(count(*))
),

baskets as materialized (
    select distinct
        lines.sale_date,
        lines.transaction_id,
        lines.product_id
    from lines
    inner join orders on lines.transaction_id = orders.transaction_id
)

select
    ours.sale_date,
    ours.product_id,
    others.product_id as other_product_id,
    count(*)::integer as orders
from baskets as ours
inner join baskets as others
    on ours.transaction_id = others.transaction_id and ours.product_id < others.product_id
group by ours.sale_date, ours.product_id, others.product_id
