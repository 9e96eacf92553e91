-- Baseline: the star schema with both versioned dimensions, the aggregates, and the marts.
truncate warehouse.dim_date,
warehouse.dim_payment,
warehouse.dim_customer,
warehouse.dim_product,
warehouse.fact_sales,
warehouse.fact_returns,
warehouse.agg_daily_returns,
warehouse.mart_product_returns,
warehouse.agg_daily_sales,
warehouse.mart_daily_breakdown,
warehouse.mart_customer_monthly,
warehouse.mart_product_daily,
warehouse.mart_product_monthly,
warehouse.mart_product_pairs,
warehouse.agg_product_performance,
warehouse.agg_customer_metrics,
warehouse.mart_daily_repeats;

insert into warehouse.dim_date (
    calendar_date, year, quarter, month, month_name, month_start, iso_week, day_of_month, day_of_week, day_name, is_weekend
)
select
    day::date,
    extract(year from day),
    extract(quarter from day),
    extract(month from day),
    trim(to_char(day, 'Month')),
    date_trunc('month', day)::date,
    extract(week from day),
    extract(day from day),
    extract(isodow from day),
    trim(to_char(day, 'Day')),
    extract(isodow from day) >= 6
from generate_series(timestamp '2000-01-01', timestamp '2099-12-31', interval '1 day') as days (day);

insert into warehouse.dim_payment (payment_key, payment_method, payment_group)
select
    payment_method_id,
    payment_method,
    warehouse.payment_group(payment_method)
from production.payment_methods
union all
select
    0,
    'Unknown',
    'Other';

create temp table purchases as
with sums as (
    select
        transaction_id,
        sum(line_total) as revenue
    from production.transaction_items
    group by transaction_id
)

select
    orders.customer_id,
    orders.transaction_date as day,
    count(*) as orders,
    sum(sums.revenue) as revenue
from production.transactions as orders
inner join sums on orders.transaction_id = sums.transaction_id
where orders.customer_id is not null
group by orders.customer_id, orders.transaction_date;
analyze purchases;

-- The segment depends on the purchases to date; a version starts with an image, or when segment or age group changes.
create temp table segment_changes as
select
    customer_id,
    day,
    segment
from (
    select
        customer_id,
        day,
        segment,
        lag(segment, 1, 'New') over (partition by customer_id order by day) as segment_before
    from (
        select
            customer_id,
            day,
            warehouse.segment(
                sum(orders) over (partition by customer_id order by day),
                sum(revenue) over (partition by customer_id order by day)
            ) as segment
        from purchases
    ) as segments
) as compared
where segment <> segment_before;

insert into warehouse.dim_customer (
    customer_key, customer_id, customer_code, city, state, country, age_group, segment, valid_from, valid_to, is_current
)
with images as (
    select
        customer_id,
        case when lag(valid_from) over later is null then date '2000-01-01' else valid_from end as day,
        coalesce(lead(valid_from) over later, 'infinity') as day_after,
        valid_from as image_day,
        date_of_birth,
        coalesce(city, 'Unknown') as city,
        coalesce(state, 'Unknown') as state,
        country
    from production.customer_versions
    window later as (partition by customer_id order by valid_from)
),

segments as (
    select
        customer_id,
        day,
        lead(day, 1, 'infinity') over (partition by customer_id order by day) as day_after,
        segment
    from (
        select
            customer_id,
            day,
            segment
        from segment_changes
        union all
        select
            customer_id,
            date '1900-01-01',
            'New'
        from production.customers
    ) as all_segments
),

bought as (
    select
        customer_id,
        min(day) as first_day,
        max(day) as last_day
    from purchases
    group by customer_id
),

known_days as (
    select
        images.customer_id,
        least(min(images.image_day), min(bought.first_day)) as first_day,
        greatest(max(images.image_day), max(bought.last_day)) as last_day
    from images
    left join bought on images.customer_id = bought.customer_id
    group by images.customer_id
),

placed as (
    select
        images.customer_id,
        greatest(images.day, segments.day) as day,
        least(images.day_after, segments.day_after) as day_after,
        images.city,
        images.state,
        images.country,
        images.date_of_birth,
        segments.segment
    from images
    inner join segments
        on
            images.customer_id = segments.customer_id
            and segments.day < images.day_after
            and images.day < segments.day_after
),

ages as (
    select
        placed.*,
        known_days.first_day,
        birthdays.day as birthday
    from placed
    inner join known_days on placed.customer_id = known_days.customer_id
    left join
        lateral warehouse.age_group_changes(
            placed.date_of_birth,
            greatest(placed.day, known_days.first_day),
            least(known_days.last_day, placed.day_after - 1)
        ) as birthdays (day)
        on true
),

versions as (
    select distinct
        customer_id,
        day,
        city,
        state,
        country,
        warehouse.age_group(date_of_birth, greatest(day, first_day)) as age_group,
        segment
    from ages
    union all
    select
        customer_id,
        birthday,
        city,
        state,
        country,
        warehouse.age_group(date_of_birth, birthday),
        segment
    from ages
    where birthday is not null
),

compared as (
    select
        *,
        jsonb_build_array(city, state, country, age_group, segment) as tracked,
        lag(jsonb_build_array(city, state, country, age_group, segment)) over (partition by customer_id order by day) as tracked_before
    from versions
),

changed as (
    select *
    from compared
    where tracked is distinct from tracked_before
)

select
    warehouse.version_key(customer_id, day),
    customer_id,
    customer_id::text,
    city,
    state,
    country,
    age_group,
    segment,
    day,
    coalesce(lead(day) over later, 'infinity'),
    lead(day) over later is null
from changed
window later as (partition by customer_id order by day)
union all
select
    0,
    0,
    'Unknown',
    'Unknown',
    'Unknown',
    'ZZ',
    'Unknown',
    'New',
    date '2000-01-01',
    'infinity',
    true;

insert into warehouse.dim_product (
    product_key, product_id, product_code, product_name, category, sub_category, brand, price, cost, price_range, valid_from,
    valid_to, is_current, stock_quantity, stock_date
)
with images as (
    select
        versions.product_id,
        case
            when lag(versions.valid_from) over (partition by versions.product_id order by versions.valid_from) is null
                then date '2000-01-01'
            else versions.valid_from
        end as day,
        versions.product_name,
        categories.category,
        categories.sub_category,
        coalesce(versions.brand, 'Unknown') as brand,
        versions.price,
        versions.cost,
        last_value(versions.stock_quantity) over whole as stock_quantity,
        last_value(versions.valid_from) over whole as stock_date
    from production.product_versions as versions
    inner join production.product_categories as categories on versions.category_id = categories.category_id
    window
        whole as (
            partition by versions.product_id order by versions.valid_from
            rows between unbounded preceding and unbounded following
        )
),

compared as (
    select
        *,
        jsonb_build_array(product_name, category, sub_category, brand, price, cost) as tracked,
        lag(jsonb_build_array(product_name, category, sub_category, brand, price, cost)) over (partition by product_id order by day) as tracked_before
    from images
),

changed as (
    select *
    from compared
    where tracked is distinct from tracked_before
)

select
    warehouse.version_key(product_id, day),
    product_id,
    product_id::text,
    product_name,
    category,
    sub_category,
    brand,
    price,
    cost,
    warehouse.price_range(price),
    day,
    coalesce(lead(day) over later, 'infinity'),
    lead(day) over later is null,
    case when lead(day) over later is null then stock_quantity end,
    case when lead(day) over later is null then stock_date end
from changed
window later as (partition by product_id order by day)
union all
select
    0,
    0,
    'Unknown',
    'Unknown',
    'Unknown',
    '',
    'Unknown',
    0,
    null,
    warehouse.price_range(0),
    date '2000-01-01',
    'infinity',
    true,
    null,
    null;

analyze warehouse.dim_customer, warehouse.dim_product;

insert into warehouse.fact_sales (
    transaction_id, item_id, sale_date, customer_id, customer_key, product_id, product_key, payment_key, quantity,
    unit_price, discount_amount, revenue, cost, profit, partition_date
)
select
    lines.transaction_id,
    lines.item_id,
    orders.transaction_date,
    orders.customer_id,
    coalesce(customers.customer_key, 0),
    lines.product_id,
    products.product_key,
    orders.payment_method_id,
    lines.quantity,
    lines.unit_price,
    lines.discount_amount,
    lines.line_total,
    lines.quantity * products.cost,
    lines.line_total - lines.quantity * products.cost,
    greatest(lines.partition_date, orders.partition_date)
from production.transaction_items as lines
inner join production.transactions as orders on lines.transaction_id = orders.transaction_id
left join warehouse.dim_customer as customers
    on
        orders.customer_id = customers.customer_id
        and orders.transaction_date >= customers.valid_from and orders.transaction_date < customers.valid_to
inner join warehouse.dim_product as products
    on
        lines.product_id = products.product_id
        and orders.transaction_date >= products.valid_from and orders.transaction_date < products.valid_to;

call public.baseline_put_back('warehouse.%');
analyze warehouse.fact_sales;

-- One row per order, because an order has one day, one customer, and one payment.
create temp table order_sums as
select
    transaction_id,
    min(sale_date) as sale_date,
    min(customer_id) as customer_id,
    min(customer_key) as customer_key,
    min(payment_key) as payment_key,
    count(*) as lines,
    sum(quantity) as units,
    sum(discount_amount) as discount,
    sum(revenue) as revenue,
    coalesce(sum(revenue) filter (where cost is not null), 0) as costed_revenue,
    sum(cost) as cost
from warehouse.fact_sales
group by transaction_id;
analyze order_sums;

insert into warehouse.fact_returns (
    transaction_id, return_id, item_id, return_date, sale_date, customer_id, customer_key, product_id, product_key,
    payment_key, quantity, refund_amount, reason, partition_date
)
select
    returns.transaction_id,
    returns.return_id,
    returns.item_id,
    returns.returned_on,
    sales.sale_date,
    sales.customer_id,
    sales.customer_key,
    sales.product_id,
    sales.product_key,
    sales.payment_key,
    returns.quantity,
    returns.refund_amount,
    coalesce(returns.reason, 'Unknown'),
    returns.partition_date
from production.returns as returns
inner join warehouse.fact_sales as sales
    on returns.transaction_id = sales.transaction_id and returns.item_id = sales.item_id;
analyze warehouse.fact_returns;

insert into warehouse.agg_daily_returns (return_date, sale_date, return_count, orders, returned_units, returns)
select
    return_date,
    sale_date,
    count(*),
    count(distinct transaction_id),
    sum(quantity),
    sum(refund_amount)
from warehouse.fact_returns
group by return_date, sale_date;

insert into warehouse.mart_product_returns (
    month_start, product_id, product_key, return_count, returned_units, returns
)
select
    date_trunc('month', sale_date)::date,
    product_id,
    product_key,
    count(*),
    sum(quantity),
    sum(refund_amount)
from warehouse.fact_returns
group by date_trunc('month', sale_date)::date, product_id, product_key;

insert into warehouse.agg_daily_sales (
    sale_date, orders, guest_orders, customers, lines, units, discount, revenue, costed_revenue, cost, profit,
    large_orders
)
select
    sums.sale_date,
    count(*),
    count(*) filter (where sums.customer_id is null),
    count(distinct sums.customer_id),
    sum(sums.lines),
    sum(sums.units),
    sum(sums.discount),
    sum(sums.revenue),
    sum(sums.costed_revenue),
    sum(sums.cost),
    sum(sums.costed_revenue) - sum(sums.cost),
    count(*) filter (where sums.lines > 50)
from order_sums as sums
group by sums.sale_date;

insert into warehouse.mart_daily_breakdown (
    sale_date, breakdown, member, orders, lines, units, discount, revenue, costed_revenue, cost, profit
)
with by_order as (
    select
        sums.sale_date,
        payments.payment_method,
        case when sums.customer_id is null then 'Guest' else customers.segment end as segment,
        customers.country || '-' || customers.state as state,
        count(*) as orders,
        sum(sums.lines) as lines,
        sum(sums.units) as units,
        sum(sums.discount) as discount,
        sum(sums.revenue) as revenue,
        sum(sums.costed_revenue) as costed_revenue,
        sum(sums.cost) as cost
    from order_sums as sums
    inner join warehouse.dim_customer as customers on sums.customer_key = customers.customer_key
    inner join warehouse.dim_payment as payments on sums.payment_key = payments.payment_key
    group by grouping sets (
        (sums.sale_date, payments.payment_method),
        (sums.sale_date, case when sums.customer_id is null then 'Guest' else customers.segment end),
        (sums.sale_date, customers.country || '-' || customers.state)
    )
)

select
    sale_date,
    case
        when payment_method is not null then 'payment_method' when segment is not null then 'segment' else 'state'
    end,
    coalesce(payment_method, segment, state),
    orders,
    lines,
    units,
    discount,
    revenue,
    costed_revenue,
    cost,
    costed_revenue - cost
from by_order
union all
select
    facts.sale_date,
    'category',
    products.category,
    count(distinct facts.transaction_id),
    count(*),
    sum(facts.quantity),
    sum(facts.discount_amount),
    sum(facts.revenue),
    coalesce(sum(facts.revenue) filter (where facts.cost is not null), 0),
    sum(facts.cost),
    sum(facts.profit)
from warehouse.fact_sales as facts
inner join warehouse.dim_product as products on facts.product_key = products.product_key
group by facts.sale_date, products.category
union all
select
    sale_date,
    'discount_band',
    warehouse.discount_band(discount_amount, quantity * unit_price),
    count(distinct transaction_id),
    count(*),
    sum(quantity),
    sum(discount_amount),
    sum(revenue),
    coalesce(sum(revenue) filter (where cost is not null), 0),
    sum(cost),
    sum(profit)
from warehouse.fact_sales
group by sale_date, warehouse.discount_band(discount_amount, quantity * unit_price);

insert into warehouse.mart_customer_monthly (
    month_start, customer_id, first_order_date, last_order_date, orders, units, revenue, costed_revenue, cost, profit
)
select
    date_trunc('month', sums.sale_date)::date,
    sums.customer_id,
    min(sums.sale_date),
    max(sums.sale_date),
    count(*),
    sum(sums.units),
    sum(sums.revenue),
    sum(sums.costed_revenue),
    sum(sums.cost),
    sum(sums.costed_revenue) - sum(sums.cost)
from order_sums as sums
where sums.customer_id is not null
group by date_trunc('month', sums.sale_date)::date, sums.customer_id;

insert into warehouse.mart_product_daily (
    sale_date, product_id, product_key, orders, units, discount, revenue, costed_revenue, cost, profit
)
select
    sale_date,
    product_id,
    product_key,
    count(distinct transaction_id),
    sum(quantity),
    sum(discount_amount),
    sum(revenue),
    coalesce(sum(revenue) filter (where cost is not null), 0),
    sum(cost),
    sum(profit)
from warehouse.fact_sales
group by sale_date, product_id, product_key;

insert into warehouse.mart_product_monthly (
    month_start, product_id, product_key, first_sale_date, last_sale_date, orders, units, discount, revenue,
    costed_revenue, cost, profit
)
select
    date_trunc('month', sale_date)::date,
    product_id,
    product_key,
    min(sale_date),
    max(sale_date),
    sum(orders),
    sum(units),
    sum(discount),
    sum(revenue),
    sum(costed_revenue),
    sum(cost),
    sum(profit)
from warehouse.mart_product_daily
group by date_trunc('month', sale_date)::date, product_id, product_key;

insert into warehouse.mart_product_pairs (sale_date, product_id, other_product_id, orders)
with baskets as (
    select distinct
        facts.sale_date,
        facts.transaction_id,
        facts.product_id
    from warehouse.fact_sales as facts
    inner join order_sums as sums on facts.transaction_id = sums.transaction_id and sums.lines between 2 and 50
    where facts.sale_date > (select max(days.sale_date) - 90 from warehouse.agg_daily_sales as days)
)

select
    ours.sale_date,
    ours.product_id,
    others.product_id as other_product_id,
    count(*)
from baskets as ours
inner join baskets as others
    on ours.transaction_id = others.transaction_id and ours.product_id < others.product_id
group by ours.sale_date, ours.product_id, others.product_id;

insert into warehouse.agg_product_performance (
    product_id, first_sale_date, last_sale_date, orders, units, discount, revenue, costed_revenue, cost, profit,
    profit_margin
)
select
    months.product_id,
    min(months.first_sale_date),
    max(months.last_sale_date),
    sum(months.orders),
    sum(months.units),
    sum(months.discount),
    sum(months.revenue),
    sum(months.costed_revenue),
    sum(months.cost),
    sum(months.profit),
    warehouse.profit_margin(sum(months.costed_revenue), sum(months.cost))
from warehouse.mart_product_monthly as months
group by months.product_id;

insert into warehouse.agg_customer_metrics (
    customer_id, first_order_date, last_order_date, orders, units, revenue, costed_revenue, cost, profit,
    average_order_value, lifespan_years
)
select
    customer_id,
    min(first_order_date),
    max(last_order_date),
    sum(orders),
    sum(units),
    sum(revenue),
    sum(costed_revenue),
    sum(cost),
    sum(profit),
    warehouse.average_order_value(sum(revenue), sum(orders)),
    round(warehouse.customer_lifespan(min(first_order_date), max(last_order_date)), 4)
from warehouse.mart_customer_monthly
group by customer_id;

insert into warehouse.mart_daily_repeats (sale_date, interval_days, orders)
with followed as (
    select
        day,
        orders,
        day - lag(day) over (partition by customer_id order by day) as interval_days
    from purchases
),

repeats as (
    select
        day,
        interval_days,
        1 as orders
    from followed
    where interval_days is not null
    union all
    select
        day,
        0,
        orders - 1
    from followed
    where orders > 1
)

select
    day,
    interval_days,
    sum(orders)
from repeats
group by day, interval_days;

analyze warehouse.mart_customer_monthly, warehouse.agg_customer_metrics, warehouse.mart_daily_repeats;
