-- warehouse: the star schema and its aggregates. Money in the shop's currency; days are UTC.
create table if not exists warehouse.dim_date (
    calendar_date date primary key,
    year smallint not null,
    quarter smallint not null check (quarter between 1 and 4),
    month smallint not null check (month between 1 and 12),
    month_name text not null,
    month_start date not null,
    iso_week smallint not null check (iso_week between 1 and 53),
    day_of_month smallint not null check (day_of_month between 1 and 31),
    day_of_week smallint not null check (day_of_week between 1 and 7),
    day_name text not null,
    is_weekend boolean not null
);

create index if not exists dim_date_month_start_idx on warehouse.dim_date (month_start);

comment on table warehouse.dim_date is 'Every day of 2000 to 2099.';
comment on column warehouse.dim_date.calendar_date is 'The day.';
comment on column warehouse.dim_date.year is 'Year.';
comment on column warehouse.dim_date.quarter is 'Quarter, 1 to 4.';
comment on column warehouse.dim_date.month is 'Month, 1 to 12.';
comment on column warehouse.dim_date.month_name is 'Month in English.';
comment on column warehouse.dim_date.month_start is 'First day of the month.';
comment on column warehouse.dim_date.iso_week is 'ISO 8601 week.';
comment on column warehouse.dim_date.day_of_month is 'Day of the month.';
comment on column warehouse.dim_date.day_of_week is 'ISO day of the week: Monday is 1.';
comment on column warehouse.dim_date.day_name is 'Day of the week in English.';
comment on column warehouse.dim_date.is_weekend is 'Saturday or Sunday.';

create table if not exists warehouse.dim_customer (
    customer_key bigint primary key,
    customer_id bigint not null,
    city text not null,
    state text not null,
    country text not null,
    age_group text not null,
    segment text not null check (segment in ('New', 'Regular', 'VIP')),
    valid_from date not null,
    valid_to date not null,
    is_current boolean not null,
    check (valid_from < valid_to),
    check (is_current = (valid_to = 'infinity')),
    check (customer_key = warehouse.version_key(customer_id, valid_from)),
    constraint dim_customer_no_overlap exclude using gist (
        customer_id with =, daterange(valid_from, valid_to) with &&
    )
);

create unique index if not exists dim_customer_current_idx on warehouse.dim_customer (customer_id) where is_current;

comment on table warehouse.dim_customer is
'Customers without personal data, SCD2: what a customer was, from which day until which. The first version also covers all earlier days.';
comment on column warehouse.dim_customer.customer_key is 'Key of the version; see warehouse.version_key.';
comment on column warehouse.dim_customer.customer_id is 'The shop''s number of the customer.';
comment on column warehouse.dim_customer.city is 'City; Unknown where the shop gives none.';
comment on column warehouse.dim_customer.state is 'ISO 3166-2 subdivision without its country; Unknown where there is none.';
comment on column warehouse.dim_customer.country is 'ISO 3166-1 alpha-2 country.';
comment on column warehouse.dim_customer.age_group is 'Age group when the version began.';
comment on column warehouse.dim_customer.segment is 'New, Regular or VIP, from all purchases up to the day; see warehouse.segment.';
comment on column warehouse.dim_customer.valid_from is 'First day of the version.';
comment on column warehouse.dim_customer.valid_to is 'First day after the version; infinity while it is current.';
comment on column warehouse.dim_customer.is_current is 'Whether this is the latest version.';

create table if not exists warehouse.dim_product (
    product_key bigint primary key,
    product_id bigint not null,
    product_name text not null,
    category text not null,
    sub_category text not null,
    brand text not null,
    price numeric(12, 2) not null check (price >= 0),
    cost numeric(12, 2) not null check (cost >= 0),
    price_range text not null check (price_range in ('Budget', 'Mid-range', 'Premium')),
    valid_from date not null,
    valid_to date not null,
    is_current boolean not null,
    check (valid_from < valid_to),
    check (is_current = (valid_to = 'infinity')),
    check (product_key = warehouse.version_key(product_id, valid_from)),
    constraint dim_product_no_overlap exclude using gist (
        product_id with =, daterange(valid_from, valid_to) with &&
    )
);

create unique index if not exists dim_product_current_idx on warehouse.dim_product (product_id) where is_current;
create index if not exists dim_product_category_idx on warehouse.dim_product (category);

comment on table warehouse.dim_product is
'Products, SCD2: what a product was, from which day until which. The first version also covers all earlier days.';
comment on column warehouse.dim_product.product_key is 'Key of the version; see warehouse.version_key.';
comment on column warehouse.dim_product.product_id is 'The shop''s number of the product.';
comment on column warehouse.dim_product.product_name is 'Name.';
comment on column warehouse.dim_product.category is 'Category.';
comment on column warehouse.dim_product.sub_category is 'Sub-category; empty where the shop gives none.';
comment on column warehouse.dim_product.brand is 'Brand; Unknown where the shop gives none.';
comment on column warehouse.dim_product.price is 'List price of one piece.';
comment on column warehouse.dim_product.cost is 'What one piece costs the shop.';
comment on column warehouse.dim_product.price_range is 'Budget, Mid-range or Premium; see warehouse.price_range.';
comment on column warehouse.dim_product.valid_from is 'First day of the version.';
comment on column warehouse.dim_product.valid_to is 'First day after the version; infinity while it is current.';
comment on column warehouse.dim_product.is_current is 'Whether this is the latest version.';

create table if not exists warehouse.dim_payment (
    payment_key bigint primary key,
    payment_method text not null unique,
    payment_group text not null
);

comment on table warehouse.dim_payment is 'Ways to pay.';
comment on column warehouse.dim_payment.payment_key is 'Key of the name, the same on every server.';
comment on column warehouse.dim_payment.payment_method is 'Name, as the shop writes it.';
comment on column warehouse.dim_payment.payment_group is 'Card, digital wallet, bank transfer or other.';

create table if not exists warehouse.fact_sales (
    transaction_id bigint not null,
    item_id bigint not null,
    sale_date date not null references warehouse.dim_date (calendar_date),
    customer_key bigint not null references warehouse.dim_customer (customer_key) deferrable,
    product_key bigint not null references warehouse.dim_product (product_key) deferrable,
    payment_key bigint not null references warehouse.dim_payment (payment_key) deferrable,
    quantity integer not null check (quantity > 0),
    unit_price numeric(12, 2) not null check (unit_price >= 0),
    discount_amount numeric(12, 2) not null check (discount_amount >= 0),
    revenue numeric(12, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    partition_date date not null,
    primary key (transaction_id, item_id),
    check (revenue = quantity * unit_price - discount_amount),
    check (profit = revenue - cost)
);

create index if not exists fact_sales_sale_date_idx on warehouse.fact_sales (sale_date);
create index if not exists fact_sales_partition_date_idx on warehouse.fact_sales (partition_date);
create index if not exists fact_sales_customer_key_idx on warehouse.fact_sales (customer_key, sale_date);
create index if not exists fact_sales_product_key_idx on warehouse.fact_sales (product_key, sale_date);
create index if not exists fact_sales_payment_key_idx on warehouse.fact_sales (payment_key);

comment on table warehouse.fact_sales is
'One row an order line, at the customer and product versions in force on the day of the sale.';
comment on column warehouse.fact_sales.transaction_id is 'The order.';
comment on column warehouse.fact_sales.item_id is 'The line.';
comment on column warehouse.fact_sales.sale_date is 'Day of the sale (UTC).';
comment on column warehouse.fact_sales.customer_key is 'Version of the customer on that day.';
comment on column warehouse.fact_sales.product_key is 'Version of the product on that day.';
comment on column warehouse.fact_sales.payment_key is 'How it was paid.';
comment on column warehouse.fact_sales.quantity is 'Pieces.';
comment on column warehouse.fact_sales.unit_price is 'Price of one piece before the discount.';
comment on column warehouse.fact_sales.discount_amount is 'Discount on the line.';
comment on column warehouse.fact_sales.revenue is 'quantity * unit_price - discount_amount.';
comment on column warehouse.fact_sales.cost is 'quantity * cost of the product on that day.';
comment on column warehouse.fact_sales.profit is 'revenue - cost.';
comment on column warehouse.fact_sales.partition_date is 'Day of the file that holds the line as it stands.';

create table if not exists warehouse.agg_daily_sales (
    sale_date date primary key references warehouse.dim_date (calendar_date),
    orders integer not null check (orders > 0),
    customers integer not null check (customers > 0),
    lines integer not null,
    units bigint not null,
    discount numeric(28, 2) not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null
);

comment on table warehouse.agg_daily_sales is 'Sales of each day.';
comment on column warehouse.agg_daily_sales.sale_date is 'Day of the sale (UTC).';
comment on column warehouse.agg_daily_sales.orders is 'Distinct orders.';
comment on column warehouse.agg_daily_sales.customers is 'Distinct customers; not to be added over days.';
comment on column warehouse.agg_daily_sales.lines is 'Order lines.';
comment on column warehouse.agg_daily_sales.units is 'Pieces.';
comment on column warehouse.agg_daily_sales.discount is 'Sum of the discounts.';
comment on column warehouse.agg_daily_sales.revenue is 'Total revenue.';
comment on column warehouse.agg_daily_sales.cost is 'Total cost.';
comment on column warehouse.agg_daily_sales.profit is 'revenue - cost.';

create table if not exists warehouse.mart_daily_breakdown (
    sale_date date not null references warehouse.dim_date (calendar_date),
    breakdown text not null check (breakdown in ('category', 'payment_method', 'segment', 'state', 'discount_band')),
    member text not null,
    orders integer not null check (orders > 0),
    lines integer not null,
    units bigint not null,
    discount numeric(28, 2) not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    primary key (sale_date, breakdown, member)
);

create index if not exists mart_daily_breakdown_member_idx
on warehouse.mart_daily_breakdown (breakdown, member, sale_date);

comment on table warehouse.mart_daily_breakdown is
'Sales of each day by one dimension at a time. An order counts once a member, so add orders over days, never over members.';
comment on column warehouse.mart_daily_breakdown.sale_date is 'Day of the sale (UTC).';
comment on column warehouse.mart_daily_breakdown.breakdown is 'The dimension.';
comment on column warehouse.mart_daily_breakdown.member is 'Its member on the day of the sale; a state is COUNTRY-STATE.';
comment on column warehouse.mart_daily_breakdown.orders is 'Distinct orders with the member.';
comment on column warehouse.mart_daily_breakdown.lines is 'Order lines.';
comment on column warehouse.mart_daily_breakdown.units is 'Pieces.';
comment on column warehouse.mart_daily_breakdown.discount is 'Sum of the discounts.';
comment on column warehouse.mart_daily_breakdown.revenue is 'Total revenue.';
comment on column warehouse.mart_daily_breakdown.cost is 'Total cost.';
comment on column warehouse.mart_daily_breakdown.profit is 'revenue - cost.';

create table if not exists warehouse.mart_product_monthly (
    month_start date not null,
    product_key bigint not null,
    first_sale_date date not null,
    last_sale_date date not null,
    orders integer not null check (orders > 0),
    units bigint not null,
    discount numeric(28, 2) not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    primary key (month_start, product_key)
);

create index if not exists mart_product_monthly_product_key_idx on warehouse.mart_product_monthly (product_key);

comment on table warehouse.mart_product_monthly is 'Sales of each product version in each month.';
comment on column warehouse.mart_product_monthly.month_start is 'First day of the month.';
comment on column warehouse.mart_product_monthly.product_key is 'Version of the product on the day of the sale.';
comment on column warehouse.mart_product_monthly.first_sale_date is 'First day with a sale.';
comment on column warehouse.mart_product_monthly.last_sale_date is 'Last day with a sale.';
comment on column warehouse.mart_product_monthly.orders is 'Distinct orders.';
comment on column warehouse.mart_product_monthly.units is 'Pieces.';
comment on column warehouse.mart_product_monthly.discount is 'Sum of the discounts.';
comment on column warehouse.mart_product_monthly.revenue is 'Total revenue.';
comment on column warehouse.mart_product_monthly.cost is 'Total cost.';
comment on column warehouse.mart_product_monthly.profit is 'revenue - cost.';

create table if not exists warehouse.agg_product_performance (
    product_id bigint primary key,
    first_sale_date date not null,
    last_sale_date date not null,
    orders integer not null check (orders > 0),
    units bigint not null,
    discount numeric(28, 2) not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    profit_margin numeric(28, 2)
);

comment on table warehouse.agg_product_performance is 'Sales of each product over all days.';
comment on column warehouse.agg_product_performance.product_id is 'The product.';
comment on column warehouse.agg_product_performance.first_sale_date is 'First day with a sale.';
comment on column warehouse.agg_product_performance.last_sale_date is 'Last day with a sale.';
comment on column warehouse.agg_product_performance.orders is 'Distinct orders.';
comment on column warehouse.agg_product_performance.units is 'Pieces.';
comment on column warehouse.agg_product_performance.discount is 'Sum of the discounts.';
comment on column warehouse.agg_product_performance.revenue is 'Total revenue.';
comment on column warehouse.agg_product_performance.cost is 'Total cost.';
comment on column warehouse.agg_product_performance.profit is 'revenue - cost.';
comment on column warehouse.agg_product_performance.profit_margin is 'See warehouse.profit_margin; null without revenue.';

create table if not exists warehouse.mart_customer_monthly (
    month_start date not null,
    customer_id bigint not null,
    first_order_date date not null,
    last_order_date date not null,
    orders integer not null check (orders > 0),
    units bigint not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    primary key (month_start, customer_id)
);

create index if not exists mart_customer_monthly_customer_id_idx on warehouse.mart_customer_monthly (customer_id);

comment on table warehouse.mart_customer_monthly is 'Purchases of each customer in each month.';
comment on column warehouse.mart_customer_monthly.month_start is 'First day of the month.';
comment on column warehouse.mart_customer_monthly.customer_id is 'The customer.';
comment on column warehouse.mart_customer_monthly.first_order_date is 'First day with an order.';
comment on column warehouse.mart_customer_monthly.last_order_date is 'Last day with an order.';
comment on column warehouse.mart_customer_monthly.orders is 'Distinct orders.';
comment on column warehouse.mart_customer_monthly.units is 'Pieces.';
comment on column warehouse.mart_customer_monthly.revenue is 'Total revenue.';
comment on column warehouse.mart_customer_monthly.cost is 'Total cost.';
comment on column warehouse.mart_customer_monthly.profit is 'revenue - cost.';

create table if not exists warehouse.agg_customer_metrics (
    customer_id bigint primary key,
    first_order_date date not null,
    last_order_date date not null,
    orders integer not null check (orders > 0),
    units bigint not null,
    revenue numeric(28, 2) not null,
    cost numeric(28, 2) not null,
    profit numeric(28, 2) not null,
    average_order_value numeric(28, 2) not null,
    lifespan_years numeric(10, 4) not null
);

comment on table warehouse.agg_customer_metrics is 'Purchases of each customer with at least one order, over all days.';
comment on column warehouse.agg_customer_metrics.customer_id is 'The customer.';
comment on column warehouse.agg_customer_metrics.first_order_date is 'First day with an order.';
comment on column warehouse.agg_customer_metrics.last_order_date is 'Last day with an order.';
comment on column warehouse.agg_customer_metrics.orders is 'Distinct orders.';
comment on column warehouse.agg_customer_metrics.units is 'Pieces.';
comment on column warehouse.agg_customer_metrics.revenue is 'Total revenue.';
comment on column warehouse.agg_customer_metrics.cost is 'Total cost.';
comment on column warehouse.agg_customer_metrics.profit is 'revenue - cost.';
comment on column warehouse.agg_customer_metrics.average_order_value is 'See warehouse.average_order_value.';
comment on column warehouse.agg_customer_metrics.lifespan_years is 'See warehouse.customer_lifespan.';
