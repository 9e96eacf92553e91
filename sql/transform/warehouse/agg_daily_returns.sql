-- warehouse.agg_daily_returns: one row per day of return and day of sale.
select
    facts.return_date,
    facts.sale_date,
    count(*)::integer as return_count,
    count(distinct facts.transaction_id)::integer as orders,
    sum(facts.quantity)::bigint as returned_units,
    sum(facts.refund_amount) as returns
from warehouse.fact_returns as facts
left join scope on facts.return_date = scope.return_date and facts.sale_date = scope.sale_date
where %(is_full_refresh)s or scope.return_date is not null
group by facts.return_date, facts.sale_date
