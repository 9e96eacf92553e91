-- analytics: how long the stock of each product lasts.
create table analytics.stock_cover (
    product_code text primary key,
    product_name text not null,
    category text not null,
    stock_quantity integer,
    stock_date date not null,
    units bigint not null,
    revenue numeric(28, 2) not null,
    units_per_day numeric(28, 2) not null,
    days_of_cover numeric(28, 1),
    runs_out_on date,
    stock_status text not null,
    as_of_date date
);

comment on table analytics.stock_cover is
'One row per product: its stock, its sales of the last 28 days of sales, and how long the stock lasts if sales go on like this.';
comment on column analytics.stock_cover.product_code is 'Product ID, as the shop writes it.';
comment on column analytics.stock_cover.product_name is 'Current product name.';
comment on column analytics.stock_cover.category is 'Current category.';
comment on column analytics.stock_cover.stock_quantity is
'Units in stock when the shop last exported the product; null if the shop gives none.';
comment on column analytics.stock_cover.stock_date is 'Day of the export that the stock quantity is from.';
comment on column analytics.stock_cover.units is 'Units sold in the 28 days up to as_of_date.';
comment on column analytics.stock_cover.revenue is 'Total revenue of the 28 days up to as_of_date.';
comment on column analytics.stock_cover.units_per_day is
'Units sold per day of these 28 days, or of the days since the first sale of the shop if they are fewer.';
comment on column analytics.stock_cover.days_of_cover is
'Stock quantity / units per day, from the unrounded units per day; null without sales or without a stock quantity.';
comment on column analytics.stock_cover.runs_out_on is
'Day on which the last unit is sold at this rate; null if the product is out of stock, or lasts more than ten years.';
comment on column analytics.stock_cover.stock_status is
'Out of stock, Runs out within 7 days, Runs out within 30 days, Enough, No sales, or Unknown; see warehouse.stock_status.';
comment on column analytics.stock_cover.as_of_date is 'Last day with sales of any product; null if there is none.';
