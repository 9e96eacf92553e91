-- repeatable: the metrics and the bands, defined once. A ratio without a denominator is null.
create or replace function warehouse.average_order_value(revenue numeric, orders numeric) returns numeric
language sql immutable parallel safe
return round(revenue / nullif(orders, 0), 2);

create or replace function warehouse.profit_margin(revenue numeric, cost numeric) returns numeric
language sql immutable parallel safe
return round((revenue - cost) / nullif(revenue, 0) * 100, 2);

-- Before discounts, after discounts (total revenue), and after refunds.
create or replace function warehouse.gross_revenue(revenue numeric, discount numeric) returns numeric
language sql immutable parallel safe
return revenue + discount;

create or replace function warehouse.net_revenue(revenue numeric, returns numeric) returns numeric
language sql immutable parallel safe
return revenue - returns;

create or replace function warehouse.return_rate(returned_units numeric, units numeric) returns numeric
language sql immutable parallel safe
return round(returned_units / nullif(units, 0) * 100, 2);

create or replace function warehouse.share(part numeric, whole numeric) returns numeric
language sql immutable parallel safe
return round(part / nullif(whole, 0) * 100, 2);

create or replace function warehouse.purchase_frequency(orders numeric, customers numeric, window_days numeric)
returns numeric
language sql immutable parallel safe
return round(orders * 365.25 / nullif(customers * window_days, 0), 4);

create or replace function warehouse.customer_lifespan(first_order date, last_order date) returns numeric
language sql immutable parallel safe
return greatest((last_order - first_order) / 365.25, 1 / 12.0);

-- The orders of the average order value and of the purchase frequency cancel each other out. A lifespan in years is
-- rarely a finite decimal: without the first rounding, its last digit would decide a tie.
drop function if exists warehouse.customer_lifetime_value(numeric, numeric, numeric);
create or replace function warehouse.customer_lifetime_value(
    revenue numeric, customers numeric, window_days numeric, lifespan numeric
) returns numeric
language sql immutable parallel safe
return round(round(revenue * 365.25 * lifespan / nullif(customers * window_days, 0), 8), 2);

create or replace function warehouse.segment(orders numeric, revenue numeric) returns text
language sql immutable parallel safe
return case when orders >= 10 and revenue >= 10000 then 'VIP' when orders >= 3 then 'Regular' else 'New' end;

create or replace function warehouse.age_group(date_of_birth date, on_day date) returns text
language sql immutable parallel safe
return case
    when date_of_birth is null or date_of_birth > on_day then 'Unknown'
    when (date_of_birth + interval '18 years')::date > on_day then 'Under 18'
    when (date_of_birth + interval '25 years')::date > on_day then '18-24'
    when (date_of_birth + interval '35 years')::date > on_day then '25-34'
    when (date_of_birth + interval '45 years')::date > on_day then '35-44'
    when (date_of_birth + interval '55 years')::date > on_day then '45-54'
    when (date_of_birth + interval '65 years')::date > on_day then '55-64'
    else '65+'
end;

-- The days on which somebody comes into another age group: those of warehouse.age_group, and the day of birth.
create or replace function warehouse.age_group_changes(date_of_birth date, first_day date, last_day date)
returns setof date
language sql immutable parallel safe rows 1
begin atomic
    select (date_of_birth + make_interval(years => ages.age))::date
    from unnest(array[0, 18, 25, 35, 45, 55, 65]) as ages (age)
    where
        (date_of_birth + make_interval(years => ages.age))::date > first_day
        and (date_of_birth + make_interval(years => ages.age))::date <= last_day;
end;

create or replace function warehouse.price_range(price numeric) returns text
language sql immutable parallel safe
return case when price < 25 then 'Budget' when price < 100 then 'Mid-range' else 'Premium' end;

create or replace function warehouse.discount_band(discount_amount numeric, gross numeric) returns text
language sql immutable parallel safe
return case
    when discount_amount = 0 or gross = 0 then 'None'
    when discount_amount / gross <= 0.10 then 'Up to 10%'
    when discount_amount / gross <= 0.20 then '10% to 20%'
    else 'Over 20%'
end;

create or replace function warehouse.payment_group(payment_method text) returns text
language sql immutable parallel safe
return case
    when lower(payment_method) in ('credit card', 'debit card') then 'Card'
    when lower(payment_method) in ('paypal', 'apple pay', 'google pay') then 'Digital wallet'
    when lower(payment_method) = 'bank transfer' then 'Bank transfer'
    else 'Other'
end;

-- A version's key is a function of what it is a version of, and of its first day: the same in any order of loads.
create or replace function warehouse.version_key(id bigint, valid_from date) returns bigint
language sql immutable parallel safe
return id * 65536 + (valid_from - date '2000-01-01');

comment on function warehouse.average_order_value(numeric, numeric) is 'Total revenue / orders.';
comment on function warehouse.profit_margin(numeric, numeric) is
'(revenue - cost) / revenue * 100, over the order lines with a known cost.';
comment on function warehouse.gross_revenue(numeric, numeric) is 'Total revenue + discounts: sum of quantity * unit price.';
comment on function warehouse.net_revenue(numeric, numeric) is 'Total revenue - returns, which is the sum of the refunds.';
comment on function warehouse.return_rate(numeric, numeric) is 'Units returned / units sold * 100; may be above 100.';
comment on function warehouse.share(numeric, numeric) is 'part / whole * 100.';
comment on function warehouse.purchase_frequency(numeric, numeric, numeric) is
'Orders / customers with at least one order, per year of the observed window.';
comment on function warehouse.customer_lifespan(date, date) is 'Years from first to last order, at least one month.';
comment on function warehouse.customer_lifetime_value(numeric, numeric, numeric, numeric) is
'Average order value * purchase frequency * customer lifespan, rounded once: revenue / customers / years of the observed window * lifespan.';
comment on function warehouse.segment(numeric, numeric) is
'Segment from all purchases so far: VIP from 10 orders and 10,000 of revenue, Regular from 3 orders, else New.';
comment on function warehouse.age_group(date, date) is 'Age group on a day.';
comment on function warehouse.age_group_changes(date, date, date) is
'The days after the first day, up to the last, on which the age group of somebody changes.';
comment on function warehouse.price_range(numeric) is 'Budget below 25, Mid-range below 100, else Premium.';
comment on function warehouse.discount_band(numeric, numeric) is 'Discount as a share of the undiscounted line.';
comment on function warehouse.payment_group(text) is 'Kind of payment method.';
comment on function warehouse.version_key(bigint, date) is
'Key of a dimension version: the natural key * 65536 + days from 2000-01-01 to its first day.';
