-- analytics: what the next 30 days may bring.
create table analytics.sales_forecast (
    forecast_date date primary key,
    forecast numeric(28, 2) not null,
    lower_80 numeric(28, 2) not null,
    upper_80 numeric(28, 2) not null,
    lower_95 numeric(28, 2) not null,
    upper_95 numeric(28, 2) not null,
    method text not null,
    first_date date not null,
    as_of_date date not null
);

comment on table analytics.sales_forecast is
'One row per day of the 30 days after the last day of sales: expected revenue of the shop. Empty without the optional package statsforecast, and for less than 28 days of sales.';
comment on column analytics.sales_forecast.forecast_date is 'Day (UTC).';
comment on column analytics.sales_forecast.forecast is 'Expected total revenue.';
comment on column analytics.sales_forecast.lower_80 is 'Lower end of the interval that holds 80 % of outcomes if the method is right; at least 0.';
comment on column analytics.sales_forecast.upper_80 is 'Upper end of that interval.';
comment on column analytics.sales_forecast.lower_95 is 'Lower end of the interval that holds 95 % of outcomes if the method is right; at least 0.';
comment on column analytics.sales_forecast.upper_95 is 'Upper end of that interval.';
comment on column analytics.sales_forecast.method is
'Seasonal naive (week) below 26 weeks, AutoETS (week) below 790 days, MSTL (week and year) from then on.';
comment on column analytics.sales_forecast.first_date is 'First day that the forecast is based on, at most three years back.';
comment on column analytics.sales_forecast.as_of_date is 'Last day that the forecast is based on: the last day with sales.';
