-- repeatable: how long stock lasts, and which products are bought together.
create or replace function warehouse.days_of_cover(stock numeric, units numeric, window_days numeric) returns numeric
language sql immutable parallel safe
return case when stock is not null then greatest(stock, 0) * window_days end / nullif(units, 0);

create or replace function warehouse.stock_status(stock numeric, days_of_cover numeric) returns text
language sql immutable parallel safe
return case
    when stock is null then 'Unknown'
    when stock <= 0 then 'Out of stock'
    when days_of_cover is null then 'No sales'
    when days_of_cover <= 7 then 'Runs out within 7 days'
    when days_of_cover <= 30 then 'Runs out within 30 days'
    else 'Enough'
end;

comment on function warehouse.days_of_cover(numeric, numeric, numeric) is
'Units in stock / units sold per day of the window; null without sales.';
comment on function warehouse.stock_status(numeric, numeric) is
'Out of stock at 0 or below; by days of cover, Runs out within 7 days, Runs out within 30 days, or Enough; Unknown without a stock quantity.';

-- An order of 500 lines would have 124,750 pairs of products.
create or replace function warehouse.is_large_order(lines bigint) returns boolean
language sql immutable parallel safe
return lines > 50;

create or replace function warehouse.lift(orders_together numeric, orders_a numeric, orders_b numeric, orders numeric)
returns numeric
language sql immutable parallel safe
return round(orders_together * orders / nullif(orders_a * orders_b, 0), 2);

comment on function warehouse.is_large_order(bigint) is
'Whether an order has more than 50 lines, so that it is left out of pairs of products.';
comment on function warehouse.lift(numeric, numeric, numeric, numeric) is
'Share of the orders with both products / (share with the first * share with the second): 1 if one says nothing about the other.';
