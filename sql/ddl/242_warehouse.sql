-- warehouse: how soon customers buy again, by the day of the later order.
create table warehouse.mart_daily_repeats (
    sale_date date not null references warehouse.dim_date (calendar_date),
    interval_days integer not null check (interval_days >= 0),
    orders integer not null check (orders > 0),
    primary key (sale_date, interval_days)
);

comment on table warehouse.mart_daily_repeats is
'One row per day and interval: orders of customers who had ordered before. First orders and guests are left out.';
comment on column warehouse.mart_daily_repeats.sale_date is 'Day of the repeat order (UTC).';
comment on column warehouse.mart_daily_repeats.interval_days is
'Days since the customer''s previous order; 0 for each further order on the same day.';
comment on column warehouse.mart_daily_repeats.orders is 'Number of repeat orders; additive over days and intervals.';

select platform.log_changes('warehouse.mart_daily_repeats', array[]::text[]);
