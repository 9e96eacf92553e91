-- warehouse.mart_product_daily: sales per product version and day. An order counts once, however many of its lines contain
-- the product: sorting each day's lines by order is faster than aggregating them by order first.
select
    facts.sale_date,
    facts.product_id,
    facts.product_key,
    count(distinct facts.transaction_id)::integer as orders,
    sum(facts.quantity)::bigint as units,
    sum(facts.discount_amount) as discount,
    sum(facts.revenue) as revenue,
    coalesce(sum(facts.revenue) filter (where facts.cost is not null), 0) as costed_revenue,
    sum(facts.cost) as cost,
    sum(facts.profit) as profit
from warehouse.fact_sales as facts
left join scope on facts.sale_date = scope.sale_date
where %(is_full_refresh)s or scope.sale_date is not null
group by facts.sale_date, facts.product_id, facts.product_key
