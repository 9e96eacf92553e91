-- repeatable: how long stock lasts.
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
