-- Total revenue by layer; all numbers must be equal.
select
    'production.transaction_items' as told_by,
    sum(line_total) as revenue
from production.transaction_items
union all
select
    'warehouse.fact_sales' as told_by,
    sum(revenue) as revenue
from warehouse.fact_sales
union all
select
    'warehouse.agg_daily_sales' as told_by,
    sum(revenue) as revenue
from warehouse.agg_daily_sales
union all
select
    'warehouse.agg_customer_metrics' as told_by,
    sum(revenue) as revenue
from warehouse.agg_customer_metrics
union all
select
    'analytics.monthly_sales' as told_by,
    sum(revenue) as revenue
from analytics.monthly_sales
union all
select
    'analytics.geography' as told_by,
    sum(revenue) as revenue
from analytics.geography
order by told_by;
