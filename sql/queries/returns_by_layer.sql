-- Refunds by layer; all numbers must be equal.
select
    'production.returns' as told_by,
    sum(refund_amount) as returns
from production.returns
union all
select
    'warehouse.fact_returns' as told_by,
    sum(refund_amount) as returns
from warehouse.fact_returns
union all
select
    'warehouse.agg_daily_returns' as told_by,
    sum(returns) as returns
from warehouse.agg_daily_returns
union all
select
    'analytics.monthly_sales' as told_by,
    sum(returns) as returns
from analytics.monthly_sales
union all
select
    'analytics.returns_by_product' as told_by,
    sum(returns) as returns
from analytics.returns_by_product
order by told_by;
