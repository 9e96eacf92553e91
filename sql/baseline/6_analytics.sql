-- Baseline: the extracts, from the same SELECTs as the platform; each takes a tenth of a second.
-- Run it from this folder.
\set select `cat ../transform/analytics/top_products.sql`
insert into analytics.top_products :select;
\set select `cat ../transform/analytics/monthly_sales.sql`
insert into analytics.monthly_sales :select;
\set select `cat ../transform/analytics/customer_segments.sql`
insert into analytics.customer_segments :select;
\set select `cat ../transform/analytics/category_sales.sql`
insert into analytics.category_sales :select;
\set select `cat ../transform/analytics/payment_methods.sql`
insert into analytics.payment_methods :select;
\set select `cat ../transform/analytics/geography.sql`
insert into analytics.geography :select;
\set select `cat ../transform/analytics/customer_lifetime_value.sql`
insert into analytics.customer_lifetime_value :select;
\set select `cat ../transform/analytics/product_profitability.sql`
insert into analytics.product_profitability :select;
\set select `cat ../transform/analytics/daily_sales.sql`
insert into analytics.daily_sales :select;
\set select `cat ../transform/analytics/discount_impact.sql`
insert into analytics.discount_impact :select;
\set select `cat ../transform/analytics/returns_by_product.sql`
insert into analytics.returns_by_product :select;
\set select `cat ../transform/analytics/stock_cover.sql`
insert into analytics.stock_cover :select;
