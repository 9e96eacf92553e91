-- warehouse.mart_product_returns: returns per product version and month of the sale.
select
    dates.month_start,
    facts.product_id,
    facts.product_key,
    count(*)::integer as return_count,
    sum(facts.quantity)::bigint as returned_units,
    sum(facts.refund_amount) as returns
from warehouse.fact_returns as facts
inner join warehouse.dim_date as dates on facts.sale_date = dates.calendar_date
left join scope on dates.month_start = scope.month_start
where %(is_full_refresh)s or scope.month_start is not null
group by dates.month_start, facts.product_id, facts.product_key
