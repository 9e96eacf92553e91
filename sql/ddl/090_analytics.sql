-- analytics: the ten extracts. Each is small, rebuilt on every run, and written as data/analytics/NAME.csv.

create table if not exists analytics.top_products (
    sales_rank integer not null,
    product_id bigint not null,
    product_name text not null,
    category text not null,
    brand text not null,
    orders integer not null,
    units bigint not null,
    revenue numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    profit_margin numeric(28, 2),
    revenue_share numeric(6, 2),
    primary key (product_id)
);

comment on table analytics.top_products is 'The 100 products with the most revenue.';
comment on column analytics.top_products.sales_rank is '1 for the product with the most revenue.';
comment on column analytics.top_products.product_id is 'The product.';
comment on column analytics.top_products.product_name is 'Current name.';
comment on column analytics.top_products.category is 'Current category.';
comment on column analytics.top_products.brand is 'Current brand.';
comment on column analytics.top_products.orders is 'Distinct orders.';
comment on column analytics.top_products.units is 'Pieces.';
comment on column analytics.top_products.revenue is 'Total revenue.';
comment on column analytics.top_products.profit is 'Total revenue - total cost.';
comment on column analytics.top_products.profit_margin is 'Profit margin in percent; null without revenue.';
comment on column analytics.top_products.revenue_share is 'Share of all revenue in percent.';

create table if not exists analytics.monthly_sales (
    month_start date not null,
    orders integer not null,
    customers integer not null,
    units bigint not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    profit_margin numeric(28, 2),
    average_order_value numeric(28, 2) not null,
    revenue_change numeric(28, 2),
    primary key (month_start)
);

comment on table analytics.monthly_sales is 'Sales of each month.';
comment on column analytics.monthly_sales.month_start is 'First day of the month.';
comment on column analytics.monthly_sales.orders is 'Distinct orders.';
comment on column analytics.monthly_sales.customers is 'Distinct customers of the month; not to be added over months.';
comment on column analytics.monthly_sales.units is 'Pieces.';
comment on column analytics.monthly_sales.revenue is 'Total revenue.';
comment on column analytics.monthly_sales.cost is 'Total cost.';
comment on column analytics.monthly_sales.profit is 'revenue - cost.';
comment on column analytics.monthly_sales.profit_margin is 'Profit margin in percent; null without revenue.';
comment on column analytics.monthly_sales.average_order_value is 'Revenue / orders.';
comment on column analytics.monthly_sales.revenue_change is 'Change against the month before in percent; null where that has no revenue.';

create table if not exists analytics.customer_segments (
    segment text not null,
    customers integer not null,
    buyers integer not null,
    orders bigint not null,
    revenue numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    average_order_value numeric(28, 2),
    customer_share numeric(6, 2),
    revenue_share numeric(6, 2),
    primary key (segment)
);

comment on table analytics.customer_segments is 'Customers by their current segment.';
comment on column analytics.customer_segments.segment is 'New, Regular or VIP.';
comment on column analytics.customer_segments.customers is 'Customers that are in the segment now, with or without orders.';
comment on column analytics.customer_segments.buyers is 'Those with at least one order.';
comment on column analytics.customer_segments.orders is 'Their orders over all days.';
comment on column analytics.customer_segments.revenue is 'Their revenue over all days.';
comment on column analytics.customer_segments.profit is 'Their profit over all days.';
comment on column analytics.customer_segments.average_order_value is 'Revenue / orders; null without orders.';
comment on column analytics.customer_segments.customer_share is 'Share of all customers in percent.';
comment on column analytics.customer_segments.revenue_share is 'Share of all revenue in percent.';

create table if not exists analytics.category_sales (
    category text not null,
    orders bigint not null,
    units bigint not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    profit_margin numeric(28, 2),
    revenue_share numeric(6, 2),
    primary key (category)
);

comment on table analytics.category_sales is 'Sales of each category, as of the day of the sale.';
comment on column analytics.category_sales.category is 'Category on the day of the sale.';
comment on column analytics.category_sales.orders is 'Distinct orders with the category.';
comment on column analytics.category_sales.units is 'Pieces.';
comment on column analytics.category_sales.revenue is 'Total revenue.';
comment on column analytics.category_sales.cost is 'Total cost.';
comment on column analytics.category_sales.profit is 'revenue - cost.';
comment on column analytics.category_sales.profit_margin is 'Profit margin in percent; null without revenue.';
comment on column analytics.category_sales.revenue_share is 'Share of all revenue in percent.';

create table if not exists analytics.payment_methods (
    payment_method text not null,
    payment_group text not null,
    orders bigint not null,
    revenue numeric(28, 2) not null,
    average_order_value numeric(28, 2) not null,
    order_share numeric(6, 2),
    revenue_share numeric(6, 2),
    primary key (payment_method)
);

comment on table analytics.payment_methods is 'Sales by payment method.';
comment on column analytics.payment_methods.payment_method is 'Name, as the shop writes it.';
comment on column analytics.payment_methods.payment_group is 'Card, digital wallet, bank transfer or other.';
comment on column analytics.payment_methods.orders is 'Distinct orders.';
comment on column analytics.payment_methods.revenue is 'Total revenue.';
comment on column analytics.payment_methods.average_order_value is 'Revenue / orders.';
comment on column analytics.payment_methods.order_share is 'Share of all orders in percent.';
comment on column analytics.payment_methods.revenue_share is 'Share of all revenue in percent.';

create table if not exists analytics.geography (
    country text not null,
    state text not null,
    customers integer not null,
    orders bigint not null,
    units bigint not null,
    revenue numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    profit_margin numeric(28, 2),
    average_order_value numeric(28, 2) not null,
    revenue_share numeric(6, 2),
    primary key (country, state)
);

comment on table analytics.geography is 'Sales by the state where the customer lived on the day of the sale.';
comment on column analytics.geography.country is 'ISO 3166-1 alpha-2 country.';
comment on column analytics.geography.state is 'ISO 3166-2 subdivision without its country.';
comment on column analytics.geography.customers is 'Customers who live there now.';
comment on column analytics.geography.orders is 'Distinct orders.';
comment on column analytics.geography.units is 'Pieces.';
comment on column analytics.geography.revenue is 'Total revenue.';
comment on column analytics.geography.profit is 'Total revenue - total cost.';
comment on column analytics.geography.profit_margin is 'Profit margin in percent; null without revenue.';
comment on column analytics.geography.average_order_value is 'Revenue / orders.';
comment on column analytics.geography.revenue_share is 'Share of all revenue in percent.';

create table if not exists analytics.customer_lifetime_value (
    segment text not null,
    customers integer not null,
    orders bigint not null,
    revenue numeric(28, 2) not null,
    average_order_value numeric(14, 2) not null,
    purchase_frequency numeric(14, 4) not null,
    customer_lifespan numeric(10, 4) not null,
    customer_lifetime_value numeric(16, 2) not null,
    primary key (segment)
);

comment on table analytics.customer_lifetime_value is 'Customer lifetime value by current segment.';
comment on column analytics.customer_lifetime_value.segment is 'New, Regular or VIP.';
comment on column analytics.customer_lifetime_value.customers is 'Customers with at least one order.';
comment on column analytics.customer_lifetime_value.orders is 'Their orders over all days.';
comment on column analytics.customer_lifetime_value.revenue is 'Their revenue over all days.';
comment on column analytics.customer_lifetime_value.average_order_value is 'Revenue / orders.';
comment on column analytics.customer_lifetime_value.purchase_frequency is 'Orders a customer a year of the observed window.';
comment on column analytics.customer_lifetime_value.customer_lifespan is 'Mean years from first to last order, at least one month each.';
comment on column analytics.customer_lifetime_value.customer_lifetime_value is 'average_order_value * purchase_frequency * customer_lifespan.';

create table if not exists analytics.product_profitability (
    product_id bigint not null,
    product_name text not null,
    category text not null,
    price_range text not null,
    units bigint not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    profit_margin numeric(28, 2),
    profit_rank integer not null,
    primary key (product_id)
);

comment on table analytics.product_profitability is 'Each product''s profit, at the cost of the day of each sale.';
comment on column analytics.product_profitability.product_id is 'The product.';
comment on column analytics.product_profitability.product_name is 'Current name.';
comment on column analytics.product_profitability.category is 'Current category.';
comment on column analytics.product_profitability.price_range is 'Current price range.';
comment on column analytics.product_profitability.units is 'Pieces.';
comment on column analytics.product_profitability.revenue is 'Total revenue.';
comment on column analytics.product_profitability.cost is 'Total cost.';
comment on column analytics.product_profitability.profit is 'revenue - cost.';
comment on column analytics.product_profitability.profit_margin is 'Profit margin in percent; null without revenue.';
comment on column analytics.product_profitability.profit_rank is '1 for the product with the most profit.';

create table if not exists analytics.daily_sales (
    sale_date date not null,
    day_name text not null,
    is_weekend boolean not null,
    orders integer not null,
    customers integer not null,
    units bigint not null,
    revenue numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    average_order_value numeric(28, 2) not null,
    revenue_7_day_mean numeric(28, 2) not null,
    primary key (sale_date)
);

comment on table analytics.daily_sales is 'Sales of each day, with its trend.';
comment on column analytics.daily_sales.sale_date is 'Day of the sale (UTC).';
comment on column analytics.daily_sales.day_name is 'Day of the week in English.';
comment on column analytics.daily_sales.is_weekend is 'Saturday or Sunday.';
comment on column analytics.daily_sales.orders is 'Distinct orders.';
comment on column analytics.daily_sales.customers is 'Distinct customers of the day; not to be added over days.';
comment on column analytics.daily_sales.units is 'Pieces.';
comment on column analytics.daily_sales.revenue is 'Total revenue.';
comment on column analytics.daily_sales.profit is 'Total revenue - total cost.';
comment on column analytics.daily_sales.average_order_value is 'Revenue / orders.';
comment on column analytics.daily_sales.revenue_7_day_mean is 'Mean revenue a day of the seven days to this one; days without sales count as zero.';

create table if not exists analytics.discount_impact (
    discount_band text not null,
    orders bigint not null,
    lines bigint not null,
    units bigint not null,
    discount numeric(28, 2) not null,
    revenue numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    profit_margin numeric(28, 2),
    revenue_share numeric(6, 2),
    primary key (discount_band)
);

comment on table analytics.discount_impact is 'What discounts do: sales by the discount of the line.';
comment on column analytics.discount_impact.discount_band is 'Discount as a share of the undiscounted line; see warehouse.discount_band.';
comment on column analytics.discount_impact.orders is 'Distinct orders with such a line.';
comment on column analytics.discount_impact.lines is 'Order lines.';
comment on column analytics.discount_impact.units is 'Pieces.';
comment on column analytics.discount_impact.discount is 'Sum of the discounts.';
comment on column analytics.discount_impact.revenue is 'Total revenue.';
comment on column analytics.discount_impact.profit is 'Total revenue - total cost.';
comment on column analytics.discount_impact.profit_margin is 'Profit margin in percent; null without revenue.';
comment on column analytics.discount_impact.revenue_share is 'Share of all revenue in percent.';
