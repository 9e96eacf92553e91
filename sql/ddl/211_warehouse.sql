-- warehouse: returns by day of return and day of sale in one table. Beside the sales of a day, they made a day's load compute a
-- month of sales again. What the facts hold is filled in here, so that nothing waits for the next run.
alter table warehouse.agg_daily_sales drop column returned_units, drop column returns;

delete from warehouse.agg_daily_returns;

alter table warehouse.agg_daily_returns
add column sale_date date not null references warehouse.dim_date (calendar_date),
drop constraint agg_daily_returns_pkey,
add primary key (return_date, sale_date);

insert into warehouse.agg_daily_returns (return_date, sale_date, return_count, orders, returned_units, returns)
select
    return_date,
    sale_date,
    count(*),
    count(distinct transaction_id),
    sum(quantity),
    sum(refund_amount)
from warehouse.fact_returns
group by return_date, sale_date;

comment on table warehouse.agg_daily_returns is
'One row per day of return and day of sale: what was taken back and refunded. Sums over either day are exact.';
comment on column warehouse.agg_daily_returns.return_date is 'Day of the return (UTC).';
comment on column warehouse.agg_daily_returns.sale_date is 'Day of the sale (UTC).';
comment on column warehouse.agg_daily_returns.orders is
'Number of distinct orders of the sale date with a return on the return date; additive over days of sale, not over days of return.';
