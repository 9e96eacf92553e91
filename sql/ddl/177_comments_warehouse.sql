-- repeatable: comments on warehouse, as the data dictionary shows them.
-- They replace those of earlier files, whose text is frozen. When you drop a column, delete its line here.
comment on schema warehouse is 'Star schema with SCD2 history, and its aggregates.';

comment on table warehouse.dim_date is 'One row per calendar day from 2000 to 2099.';
comment on column warehouse.dim_date.calendar_date is 'Calendar day.';
comment on column warehouse.dim_date.year is 'Calendar year.';
comment on column warehouse.dim_date.quarter is 'Calendar quarter, 1 to 4.';
comment on column warehouse.dim_date.month is 'Calendar month, 1 to 12.';
comment on column warehouse.dim_date.month_name is 'English name of the month.';
comment on column warehouse.dim_date.iso_week is 'ISO 8601 week number.';
comment on column warehouse.dim_date.day_of_week is 'ISO day of the week, 1 (Monday) to 7.';
comment on column warehouse.dim_date.day_name is 'English name of the day.';
comment on column warehouse.dim_date.is_weekend is 'True for Saturday and Sunday.';

comment on table warehouse.dim_customer is
'One row per version of a customer (SCD2), without personal data. The first version also covers all earlier days; key 0 is the unknown customer.';
comment on column warehouse.dim_customer.customer_key is 'Surrogate key of the version; see warehouse.version_key.';
comment on column warehouse.dim_customer.customer_id is 'Key of the customer: its number, or negative for any other text; see customer_code.';
comment on column warehouse.dim_customer.customer_code is 'Customer ID, as the shop writes it; Unknown for key 0.';
comment on column warehouse.dim_customer.city is 'City; Unknown if the shop gives none.';
comment on column warehouse.dim_customer.state is
'ISO 3166-2 subdivision code without its country prefix; Unknown if there is none.';
comment on column warehouse.dim_customer.country is 'ISO 3166-1 alpha-2 country code.';
comment on column warehouse.dim_customer.age_group is
'Age group during the version. A new version begins when a known customer reaches the next age group.';
comment on column warehouse.dim_customer.segment is
'New, Regular or VIP, based on all purchases up to the day; see warehouse.segment.';
comment on column warehouse.dim_customer.valid_to is 'First day after the version; infinity for the current version.';
comment on column warehouse.dim_customer.is_current is 'True for the latest version.';

comment on table warehouse.dim_product is
'One row per version of a product (SCD2). The first version also covers all earlier days; key 0 is the unknown product.';
comment on column warehouse.dim_product.product_key is 'Surrogate key of the version; see warehouse.version_key.';
comment on column warehouse.dim_product.product_id is 'Key of the product: its number, or negative for any other text; see product_code.';
comment on column warehouse.dim_product.product_code is 'Product ID, as the shop writes it; Unknown for key 0.';
comment on column warehouse.dim_product.product_name is 'Product name.';
comment on column warehouse.dim_product.category is 'Category name; Unknown if the shop gives none.';
comment on column warehouse.dim_product.sub_category is 'Sub-category name; empty if the shop gives none.';
comment on column warehouse.dim_product.brand is 'Brand name; Unknown if the shop gives none.';
comment on column warehouse.dim_product.price is 'List price per unit.';
comment on column warehouse.dim_product.cost is 'Cost per unit to the shop; null if unknown.';
comment on column warehouse.dim_product.valid_to is 'First day after the version; infinity for the current version.';
comment on column warehouse.dim_product.is_current is 'True for the latest version.';

comment on table warehouse.dim_payment is 'One row per payment method. Key 0 is the unknown member.';
comment on column warehouse.dim_payment.payment_key is 'Surrogate key derived from the name; the same on every server.';
comment on column warehouse.dim_payment.payment_method is 'Payment method as named by the shop; Unknown if it gives none.';

comment on table warehouse.fact_sales is
'One row per order line, at the customer and product versions valid on the sale date.';
comment on column warehouse.fact_sales.transaction_id is 'Key of the order: its number, or negative for any other text.';
comment on column warehouse.fact_sales.item_id is 'Key of the order line: its number, or negative for any other text.';
comment on column warehouse.fact_sales.sale_date is 'Business day of the sale.';
comment on column warehouse.fact_sales.customer_key is
'Version of the customer valid on the sale date; 0 for a guest, and while none is known.';
comment on column warehouse.fact_sales.product_key is
'Version of the product valid on the sale date; 0 while none is known.';
comment on column warehouse.fact_sales.payment_key is 'Payment method of the order; 0 while none is known.';
comment on column warehouse.fact_sales.quantity is 'Units sold.';
comment on column warehouse.fact_sales.unit_price is 'Price per unit before the discount.';
comment on column warehouse.fact_sales.discount_amount is 'Discount on the order line.';
comment on column warehouse.fact_sales.cost is 'quantity * cost per unit on the sale date; null if unknown.';
comment on column warehouse.fact_sales.profit is 'revenue - cost; null if the cost is unknown.';
comment on column warehouse.fact_sales.partition_date is
'Day of the latest file that determines the row: the file of the order or of its line.';
comment on column warehouse.fact_sales.customer_id is 'Customer ID; null for a guest.';
comment on column warehouse.fact_sales.product_id is 'Product ID.';

comment on table warehouse.agg_daily_sales is 'One row per day with sales.';
comment on column warehouse.agg_daily_sales.sale_date is 'Business day of the sales.';
comment on column warehouse.agg_daily_sales.orders is 'Number of distinct orders.';
comment on column warehouse.agg_daily_sales.customers is
'Number of distinct customers, without guests. Do not add up over days.';
comment on column warehouse.agg_daily_sales.lines is 'Number of order lines.';
comment on column warehouse.agg_daily_sales.discount is 'Total discount.';
comment on column warehouse.agg_daily_sales.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column warehouse.agg_daily_sales.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column warehouse.agg_daily_sales.units is 'Units sold.';

comment on table warehouse.mart_daily_breakdown is
'One row per day and member of a dimension. An order counts once per member, so add up orders over days but never over members.';
comment on column warehouse.mart_daily_breakdown.sale_date is 'Business day of the sales.';
comment on column warehouse.mart_daily_breakdown.breakdown is
'Dimension: category, payment_method, segment, state or discount_band.';
comment on column warehouse.mart_daily_breakdown.member is
'Member of the dimension on the sale date; a state is written COUNTRY-STATE. Orders without a customer have the segment Guest.';
comment on column warehouse.mart_daily_breakdown.orders is 'Number of distinct orders with the member.';
comment on column warehouse.mart_daily_breakdown.lines is 'Number of order lines.';
comment on column warehouse.mart_daily_breakdown.discount is 'Total discount.';
comment on column warehouse.mart_daily_breakdown.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column warehouse.mart_daily_breakdown.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column warehouse.mart_daily_breakdown.units is 'Units sold.';

comment on table warehouse.mart_product_monthly is 'One row per month and product version with sales.';
comment on column warehouse.mart_product_monthly.product_key is 'Version of the product valid on the sale date.';
comment on column warehouse.mart_product_monthly.product_id is 'Product ID.';
comment on column warehouse.mart_product_monthly.orders is 'Number of distinct orders.';
comment on column warehouse.mart_product_monthly.discount is 'Total discount.';
comment on column warehouse.mart_product_monthly.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column warehouse.mart_product_monthly.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column warehouse.mart_product_monthly.units is 'Units sold.';

comment on table warehouse.mart_product_daily is 'One row per day and product version with sales.';
comment on column warehouse.mart_product_daily.sale_date is 'Business day of the sales.';
comment on column warehouse.mart_product_daily.product_key is 'Version of the product valid on the sale date.';
comment on column warehouse.mart_product_daily.product_id is 'Product ID.';
comment on column warehouse.mart_product_daily.orders is 'Number of distinct orders.';
comment on column warehouse.mart_product_daily.discount is 'Total discount.';
comment on column warehouse.mart_product_daily.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column warehouse.mart_product_daily.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column warehouse.mart_product_daily.units is 'Units sold.';

comment on table warehouse.agg_product_performance is 'One row per product with sales, over all days.';
comment on column warehouse.agg_product_performance.product_id is 'Product ID.';
comment on column warehouse.agg_product_performance.orders is 'Number of distinct orders.';
comment on column warehouse.agg_product_performance.discount is 'Total discount.';
comment on column warehouse.agg_product_performance.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column warehouse.agg_product_performance.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column warehouse.agg_product_performance.units is 'Units sold.';
comment on column warehouse.agg_product_performance.profit_margin is
'Profit margin of the costed revenue, in percent; null without any. See warehouse.profit_margin.';

comment on table warehouse.mart_customer_monthly is 'One row per month and customer with orders, without guests.';
comment on column warehouse.mart_customer_monthly.customer_id is 'Customer ID.';
comment on column warehouse.mart_customer_monthly.first_order_date is 'Date of the first order of the month.';
comment on column warehouse.mart_customer_monthly.last_order_date is 'Date of the last order of the month.';
comment on column warehouse.mart_customer_monthly.orders is 'Number of distinct orders.';
comment on column warehouse.mart_customer_monthly.units is 'Units bought.';
comment on column warehouse.mart_customer_monthly.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column warehouse.mart_customer_monthly.profit is 'Costed revenue minus total cost; null if no cost is known.';

comment on table warehouse.agg_customer_metrics is 'One row per customer with at least one order, over all days.';
comment on column warehouse.agg_customer_metrics.customer_id is 'Customer ID.';
comment on column warehouse.agg_customer_metrics.first_order_date is 'Date of the first order.';
comment on column warehouse.agg_customer_metrics.last_order_date is 'Date of the last order.';
comment on column warehouse.agg_customer_metrics.orders is 'Number of distinct orders.';
comment on column warehouse.agg_customer_metrics.units is 'Units bought.';
comment on column warehouse.agg_customer_metrics.cost is 'Total cost of the order lines with a known cost; null if there are none.';
comment on column warehouse.agg_customer_metrics.profit is 'Costed revenue minus total cost; null if no cost is known.';
comment on column warehouse.agg_customer_metrics.average_order_value is
'Total revenue / orders. See warehouse.average_order_value.';
comment on column warehouse.agg_customer_metrics.lifespan_years is
'Years from the first to the last order, at least one month. See warehouse.customer_lifespan.';
