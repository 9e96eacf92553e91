-- warehouse.mart_product_monthly: sales of each product version in each month.
select
    dates.month_start,
    facts.product_key,
    min(facts.sale_date) as first_sale_date,
    max(facts.sale_date) as last_sale_date,
    count(distinct facts.transaction_id)::integer as orders,
    sum(facts.quantity)::bigint as units,
    sum(facts.discount_amount) as discount,
    sum(facts.revenue) as revenue,
    sum(facts.cost) as cost,
    sum(facts.profit) as profit
from warehouse.fact_sales as facts
inner join warehouse.dim_date as dates on facts.sale_date = dates.calendar_date
where %(everything)s or dates.month_start in (select scope.month_start from scope)
group by dates.month_start, facts.product_key
