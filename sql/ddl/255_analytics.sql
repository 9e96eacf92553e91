-- analytics: unusual days of a category.
create table analytics.sales_anomalies (
    sale_date date not null,
    category text not null,
    revenue numeric(28, 2) not null,
    expected_revenue numeric(28, 2) not null,
    deviation numeric(28, 2) not null,
    robust_z numeric(28, 2) not null,
    direction text not null,
    primary key (sale_date, category)
);

comment on table analytics.sales_anomalies is
'One row per day and category with unusual revenue: a modified z-score above 3.5 or below -3.5 (Iglewicz and Hoaglin, 1993).';
comment on column analytics.sales_anomalies.sale_date is 'Day of the sales (UTC).';
comment on column analytics.sales_anomalies.category is 'Category on the sale date.';
comment on column analytics.sales_anomalies.revenue is 'Total revenue; 0 if the category sold nothing on a day on which others did.';
comment on column analytics.sales_anomalies.expected_revenue is
'Median revenue of the category on the seven days of sales before that fall on the same weekday.';
comment on column analytics.sales_anomalies.deviation is 'Total revenue minus expected revenue.';
comment on column analytics.sales_anomalies.robust_z is
'0.6745 * (residual - median) / MAD, where the residual is revenue / expected revenue - 1, and median and median absolute deviation are those of the category''s residuals over all days.';
comment on column analytics.sales_anomalies.direction is 'Above or Below what was expected.';
