-- repeatable: comments on analytics and monitoring, as the data dictionary shows them.
-- They replace those of earlier files, whose text is frozen. When you drop a column, delete its line here.
comment on schema analytics is 'Extracts for analysts, also written as CSV files.';
comment on schema monitoring is 'Reports on data quality, the pipeline and the database.';

comment on table analytics.top_products is 'One row per product: the 100 products with the highest revenue.';
comment on column analytics.top_products.sales_rank is 'Rank by revenue; 1 is the highest.';
comment on column analytics.top_products.product_name is 'Current product name.';
comment on column analytics.top_products.orders is 'Number of distinct orders.';
comment on column analytics.top_products.units is 'Units sold.';
comment on column analytics.top_products.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column analytics.top_products.profit_margin is
'Profit margin of the costed revenue, in percent; null without any.';
comment on column analytics.top_products.revenue_share is 'Share of total revenue, in percent.';

comment on table analytics.monthly_sales is 'One row per month with sales.';
comment on column analytics.monthly_sales.orders is 'Number of distinct orders.';
comment on column analytics.monthly_sales.customers is
'Number of distinct customers of the month, without guests. Do not add up over months.';
comment on column analytics.monthly_sales.units is 'Units sold.';
comment on column analytics.monthly_sales.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column analytics.monthly_sales.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column analytics.monthly_sales.profit_margin is
'Profit margin of the costed revenue, in percent; null without any.';
comment on column analytics.monthly_sales.average_order_value is 'Total revenue / orders.';
comment on column analytics.monthly_sales.revenue_change is
'Change of revenue from the previous month, in percent; an incomplete last month is compared with as many days of the previous one. '
'Null if these have no revenue, if the previous month has fewer days, or if it is the first and incomplete.';

comment on table analytics.customer_segments is 'One row per current customer segment.';
comment on column analytics.customer_segments.customers is
'Customers currently in the segment, with or without orders.';
comment on column analytics.customer_segments.buyers is 'Customers of the segment with at least one order.';
comment on column analytics.customer_segments.orders is 'Orders of these customers over all days.';
comment on column analytics.customer_segments.revenue is 'Revenue from these customers over all days.';
comment on column analytics.customer_segments.profit is
'Profit from these customers over all days: costed revenue minus cost; null if no cost is known.';
comment on column analytics.customer_segments.average_order_value is 'Total revenue / orders; null without orders.';
comment on column analytics.customer_segments.customer_share is 'Share of all customers, in percent.';
comment on column analytics.customer_segments.revenue_share is
'Share of the revenue from all customers, in percent. Guests are left out.';

comment on table analytics.category_sales is 'One row per category, as of the sale date.';
comment on column analytics.category_sales.category is 'Category of the product on the sale date; Unknown if the shop gives none.';
comment on column analytics.category_sales.orders is 'Number of distinct orders with a product of the category.';
comment on column analytics.category_sales.units is 'Units sold.';
comment on column analytics.category_sales.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column analytics.category_sales.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column analytics.category_sales.profit_margin is
'Profit margin of the costed revenue, in percent; null without any.';
comment on column analytics.category_sales.revenue_share is 'Share of total revenue, in percent.';

comment on table analytics.payment_methods is 'One row per payment method with sales.';
comment on column analytics.payment_methods.payment_method is 'Payment method as named by the shop; Unknown if it gives none.';
comment on column analytics.payment_methods.orders is 'Number of distinct orders.';
comment on column analytics.payment_methods.average_order_value is 'Total revenue / orders.';
comment on column analytics.payment_methods.order_share is 'Share of all orders, in percent.';
comment on column analytics.payment_methods.revenue_share is 'Share of total revenue, in percent.';

comment on table analytics.geography is 'One row per state in which customers lived on the sale date.';
comment on column analytics.geography.country is 'ISO 3166-1 alpha-2 country code.';
comment on column analytics.geography.state is 'ISO 3166-2 subdivision code without its country prefix.';
comment on column analytics.geography.customers is 'Customers who currently live in the state.';
comment on column analytics.geography.orders is 'Number of distinct orders.';
comment on column analytics.geography.units is 'Units sold.';
comment on column analytics.geography.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column analytics.geography.profit_margin is
'Profit margin of the costed revenue, in percent; null without any.';
comment on column analytics.geography.average_order_value is 'Total revenue / orders.';
comment on column analytics.geography.revenue_share is 'Share of total revenue, in percent.';

comment on table analytics.customer_lifetime_value is
'One row per current customer segment: its customer lifetime value.';
comment on column analytics.customer_lifetime_value.customers is 'Customers of the segment with at least one order.';
comment on column analytics.customer_lifetime_value.orders is 'Orders of these customers over all days.';
comment on column analytics.customer_lifetime_value.revenue is 'Revenue from these customers over all days.';
comment on column analytics.customer_lifetime_value.average_order_value is 'Total revenue / orders.';
comment on column analytics.customer_lifetime_value.purchase_frequency is
'Orders per customer and year of the observed window.';
comment on column analytics.customer_lifetime_value.customer_lifespan is
'Mean years from first to last order, at least one month per customer.';

comment on table analytics.product_profitability is
'One row per product with sales, ranked by profit. Cost is the cost on each sale date.';
comment on column analytics.product_profitability.product_name is 'Current product name.';
comment on column analytics.product_profitability.units is 'Units sold.';
comment on column analytics.product_profitability.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column analytics.product_profitability.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column analytics.product_profitability.profit_margin is
'Profit margin of the costed revenue, in percent; null without any.';
comment on column analytics.product_profitability.profit_rank is 'Rank by profit; 1 is the highest. Null if no cost is known.';

comment on table analytics.daily_sales is 'One row per day with sales, with its seven-day trend.';
comment on column analytics.daily_sales.sale_date is 'Business day of the sales.';
comment on column analytics.daily_sales.day_name is 'English name of the day.';
comment on column analytics.daily_sales.is_weekend is 'True for Saturday and Sunday.';
comment on column analytics.daily_sales.orders is 'Number of distinct orders.';
comment on column analytics.daily_sales.customers is
'Number of distinct customers of the day, without guests. Do not add up over days.';
comment on column analytics.daily_sales.units is 'Units sold.';
comment on column analytics.daily_sales.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column analytics.daily_sales.average_order_value is 'Total revenue / orders.';
comment on column analytics.daily_sales.revenue_7_day_mean is
'Mean daily revenue of the last seven days, this day included; days without sales count as zero.';

comment on table analytics.discount_impact is 'One row per discount band of order lines.';
comment on column analytics.discount_impact.orders is 'Number of distinct orders with such a line.';
comment on column analytics.discount_impact.lines is 'Number of order lines.';
comment on column analytics.discount_impact.discount is 'Total discount.';
comment on column analytics.discount_impact.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column analytics.discount_impact.profit_margin is
'Profit margin of the costed revenue, in percent; null without any.';
comment on column analytics.discount_impact.units is 'Units sold.';
comment on column analytics.discount_impact.revenue_share is 'Share of total revenue, in percent.';

comment on table monitoring.quality_report is 'One row per asset check: its latest result.';
comment on column monitoring.quality_report.table_name is 'Asset that was checked, as schema.table.';
comment on column monitoring.quality_report.check_name is 'Name of the check.';
comment on column monitoring.quality_report.severity is 'ERROR stops downstream assets; WARN does not.';
comment on column monitoring.quality_report.passed is 'True if the check passed.';
comment on column monitoring.quality_report.rows_tested is 'Number of rows tested, if the check counts them.';
comment on column monitoring.quality_report.violations is 'Number of violations, if the check counts them.';
comment on column monitoring.quality_report.score is
'100 * (1 - violations / rows tested), at least 0. Without counts, 100 if the check passed and 0 if not.';
comment on column monitoring.quality_report.grade is
'A if the check passed; otherwise by score: B from 99, C from 95, D from 80, F below.';
comment on column monitoring.quality_report.description is 'Finding of the latest evaluation, in one sentence.';
comment on column monitoring.quality_report.checked_at is 'Time of the latest evaluation (UTC).';
comment on column monitoring.quality_report.days is
'Days that were tested: all days, one day, or the first and last day of a range.';

comment on table monitoring.pipeline_report is 'One row per table: size, freshness, latest run and volume.';
comment on column monitoring.pipeline_report.table_name is 'Name of the table, as schema.table.';
comment on column monitoring.pipeline_report.layer is 'Layer of the table.';
comment on column monitoring.pipeline_report.row_count is 'Number of rows, as last counted or estimated by the server.';
comment on column monitoring.pipeline_report.total_bytes is 'Size on disk in bytes, including indexes.';
comment on column monitoring.pipeline_report.last_materialized_at is 'Time of the latest materialization (UTC).';
comment on column monitoring.pipeline_report.last_run_id is 'ID of the run that materialized it.';
comment on column monitoring.pipeline_report.latest_day is
'Latest business day in the table; null if the table has no days.';
comment on column monitoring.pipeline_report.lag_days is
'Days between the latest business day and the last day that the run was asked for.';
comment on column monitoring.pipeline_report.last_run_status is
'Status of that run; STARTED for the run that wrote this report.';
comment on column monitoring.pipeline_report.last_run_seconds is
'Duration of that run in seconds; for a run that has not ended, until this report.';
comment on column monitoring.pipeline_report.write_seconds is
'Duration of the transaction that last wrote the table, in seconds.';
comment on column monitoring.pipeline_report.latest_day_rows is
'Number of rows in the file of the latest day; null if the table does not replicate a feed.';
comment on column monitoring.pipeline_report.least_expected_rows is
'Mean of the weekday minus three standard deviations; null if there are too few such days.';
comment on column monitoring.pipeline_report.most_expected_rows is
'Mean of the weekday plus three standard deviations; null if there are too few such days.';
comment on column monitoring.pipeline_report.is_unusual is
'True if the number of rows of the latest day lies outside the expected range; null if it is not judged.';

comment on table monitoring.database_health is
'One row per metric of the database and of the disk that holds the data folder.';
comment on column monitoring.database_health.metric is 'Name of the metric.';
comment on column monitoring.database_health.value is 'Measured value.';
comment on column monitoring.database_health.unit is 'Unit of the value.';
comment on column monitoring.database_health.least is 'Lowest healthy value; null if there is no lower limit.';
comment on column monitoring.database_health.most is 'Highest healthy value; null if there is no upper limit.';
comment on column monitoring.database_health.is_healthy is 'True if the value lies within the limits.';
comment on column monitoring.database_health.description is 'What the metric means, and what to do if it is unhealthy.';
comment on column monitoring.database_health.measured_at is 'Time of the measurement (UTC).';

comment on view monitoring.layer_report is
'One row per layer, from the two reports: size, lag, and the mean score and worst grade of its checks.';
