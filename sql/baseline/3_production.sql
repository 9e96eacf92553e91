-- Baseline: typed, deduplicated production tables. Each feed is typed once, into a temporary table.
truncate production.loaded_days,
production.customers,
production.customer_versions,
production.product_categories,
production.products,
production.product_versions,
production.payment_methods,
production.transactions,
production.transaction_items,
production.returns,
production.rejected_rows;

insert into production.loaded_days (feed, partition_date, load_id, loaded_at, rows_in_file)
select
    'customers',
    partition_date,
    load_id,
    loaded_at,
    count(*)
from staging.customers
group by partition_date, load_id, loaded_at
union all
select
    'products',
    partition_date,
    load_id,
    loaded_at,
    count(*)
from staging.products
group by partition_date, load_id, loaded_at
union all
select
    'transactions',
    partition_date,
    load_id,
    loaded_at,
    count(*)
from staging.transactions
group by partition_date, load_id, loaded_at
union all
select
    'transaction_items',
    partition_date,
    load_id,
    loaded_at,
    count(*)
from staging.transaction_items
group by partition_date, load_id, loaded_at
union all
select
    'returns',
    partition_date,
    load_id,
    loaded_at,
    count(*)
from staging.returns
group by partition_date, load_id, loaded_at;

analyze staging.customers, staging.products, staging.transactions, staging.transaction_items, staging.returns,
production.loaded_days;

create temp table typed_customers as
select
    load_id,
    partition_date,
    source_row,
    source_file,
    customer_id,
    customer_bucket,
    customer_code,
    first_name,
    last_name,
    email,
    phone,
    date_of_birth,
    street_address,
    city,
    state,
    postal_code,
    country,
    registered_on,
    updated_at,
    valid_from,
    reasons,
    is_good
from production.typed_customers;

create temp table typed_products as
select
    load_id,
    partition_date,
    source_row,
    source_file,
    product_id,
    product_bucket,
    product_code,
    product_name,
    category,
    sub_category,
    category_id,
    brand,
    price,
    cost,
    stock_quantity,
    supplier_id,
    updated_at,
    valid_from,
    reasons,
    is_good
from production.typed_products;

create temp table typed_orders as
select
    load_id,
    partition_date,
    source_row,
    source_file,
    transaction_id,
    transaction_bucket,
    transaction_code,
    customer_id,
    customer_bucket,
    customer_code,
    transaction_date,
    transaction_time,
    payment_method,
    payment_method_id,
    shipping_address,
    shipping_city,
    shipping_state,
    total_amount,
    reasons,
    is_good
from production.typed_transactions;

create temp table typed_lines as
select
    load_id,
    partition_date,
    source_row,
    source_file,
    item_id,
    transaction_id,
    transaction_bucket,
    transaction_code,
    product_id,
    product_bucket,
    product_code,
    quantity,
    unit_price,
    discount_amount,
    line_total,
    reasons,
    is_good
from production.typed_transaction_items;

create temp table typed_returns as
select
    load_id,
    partition_date,
    source_row,
    source_file,
    return_id,
    return_bucket,
    return_code,
    transaction_id,
    transaction_bucket,
    transaction_code,
    item_id,
    item_bucket,
    item_code,
    returned_on,
    quantity,
    refund_amount,
    reason,
    reasons,
    is_good
from production.typed_returns;
analyze typed_customers, typed_products, typed_orders, typed_lines, typed_returns;

insert into production.customer_versions (
    customer_id, valid_from, first_name, last_name, email, phone, date_of_birth, street_address, city, state,
    postal_code, country, registered_on, updated_at, partition_date, source_row
)
select distinct on (customer_id, valid_from)
    customer_id,
    valid_from,
    first_name,
    last_name,
    email,
    phone,
    date_of_birth,
    street_address,
    city,
    state,
    postal_code,
    country,
    registered_on,
    updated_at,
    partition_date,
    source_row
from typed_customers
where is_good
order by customer_id, valid_from, updated_at desc, partition_date desc, source_row desc;

insert into production.customers (
    customer_id, valid_from, first_name, last_name, email, phone, date_of_birth, street_address, city, state,
    postal_code, country, registered_on, updated_at, partition_date, source_row
)
select distinct on (customer_id)
    customer_id,
    valid_from,
    first_name,
    last_name,
    email,
    phone,
    date_of_birth,
    street_address,
    city,
    state,
    postal_code,
    country,
    registered_on,
    updated_at,
    partition_date,
    source_row
from production.customer_versions
order by customer_id, valid_from desc;

insert into production.product_categories (category_id, category, sub_category)
select distinct
    category_id,
    category,
    sub_category
from typed_products
where is_good;

insert into production.product_versions (
    product_id, valid_from, product_name, category_id, brand, price, cost, stock_quantity, supplier_id, updated_at,
    partition_date, source_row
)
select distinct on (product_id, valid_from)
    product_id,
    valid_from,
    product_name,
    category_id,
    brand,
    price,
    cost,
    stock_quantity,
    supplier_id,
    updated_at,
    partition_date,
    source_row
from typed_products
where is_good
order by product_id, valid_from, updated_at desc, partition_date desc, source_row desc;

insert into production.products (
    product_id, valid_from, product_name, category_id, brand, price, cost, stock_quantity, supplier_id, updated_at,
    partition_date, source_row
)
select distinct on (product_id)
    product_id,
    valid_from,
    product_name,
    category_id,
    brand,
    price,
    cost,
    stock_quantity,
    supplier_id,
    updated_at,
    partition_date,
    source_row
from production.product_versions
order by product_id, valid_from desc;

insert into production.payment_methods (payment_method_id, payment_method)
select distinct
    payment_method_id,
    payment_method
from typed_orders
where is_good;

analyze production.customers, production.customer_versions, production.products, production.product_versions;

insert into production.transactions (
    transaction_id, customer_id, transaction_date, transaction_time, payment_method_id, shipping_address,
    shipping_city, shipping_state, total_amount, partition_date, source_row
)
select distinct on (orders.transaction_id)
    orders.transaction_id,
    orders.customer_id,
    orders.transaction_date,
    orders.transaction_time,
    orders.payment_method_id,
    orders.shipping_address,
    orders.shipping_city,
    orders.shipping_state,
    orders.total_amount,
    orders.partition_date,
    orders.source_row
from typed_orders as orders
left join production.customers as customers on orders.customer_id = customers.customer_id
where orders.is_good and (orders.customer_id is null or customers.customer_id is not null)
order by orders.transaction_id, orders.partition_date desc, orders.source_row desc;

call public.baseline_put_back('production.transactions');
analyze production.transactions;

-- If an order's lines were exported on several days, its base is the latest day with both header and lines.
create temp table strays as
select distinct lines.transaction_id
from typed_lines as lines
inner join production.transactions as orders on lines.transaction_id = orders.transaction_id
where lines.partition_date <> orders.partition_date;
analyze strays;

create temp table exported_again as
select
    headers.transaction_id,
    max(headers.partition_date) as base
from strays
inner join typed_orders as headers on strays.transaction_id = headers.transaction_id
left join production.customers as customers on headers.customer_id = customers.customer_id
inner join typed_lines as lines
    on headers.transaction_id = lines.transaction_id and headers.partition_date = lines.partition_date
inner join production.products as products on lines.product_id = products.product_id
where
    headers.is_good
    and lines.is_good
    and (headers.customer_id is null or customers.customer_id is not null)
group by headers.transaction_id;

insert into production.transaction_items (
    transaction_id, item_id, product_id, quantity, unit_price, discount_amount, line_total, partition_date, source_row
)
select distinct on (lines.transaction_id, lines.item_id)
    lines.transaction_id,
    lines.item_id,
    lines.product_id,
    lines.quantity,
    lines.unit_price,
    lines.discount_amount,
    lines.line_total,
    lines.partition_date,
    lines.source_row
from typed_lines as lines
inner join production.transactions as orders on lines.transaction_id = orders.transaction_id
inner join production.products as products on lines.product_id = products.product_id
left join exported_again on lines.transaction_id = exported_again.transaction_id
where
    lines.is_good
    and (exported_again.base is null or lines.partition_date >= exported_again.base)
order by lines.transaction_id, lines.item_id, lines.partition_date desc, lines.source_row desc;

call public.baseline_put_back('production.transaction_items');
analyze production.transaction_items;

insert into production.returns (
    transaction_id, return_id, item_id, returned_on, quantity, refund_amount, reason, partition_date, source_row
)
select distinct on (returns.transaction_id, returns.return_id)
    returns.transaction_id,
    returns.return_id,
    returns.item_id,
    returns.returned_on,
    returns.quantity,
    returns.refund_amount,
    returns.reason,
    returns.partition_date,
    returns.source_row
from typed_returns as returns
inner join production.transaction_items as lines
    on returns.transaction_id = lines.transaction_id and returns.item_id = lines.item_id
where returns.is_good
order by returns.transaction_id, returns.return_id, returns.partition_date desc, returns.source_row desc;

insert into production.rejected_rows (
    feed, partition_date, source_row, source_file, reasons, original, transaction_id, missing_customer_id,
    missing_transaction_id, missing_product_id, missing_item_id
)
select
    rejected.feed,
    rejected.partition_date,
    rejected.source_row,
    rejected.source_file,
    rejected.reasons,
    jsonb_strip_nulls(
        rejected.original - array[
            'partition_date', 'source_file', 'source_row', 'load_id', 'loaded_at', 'is_plain',
            'customer_bucket', 'product_bucket', 'transaction_bucket', 'item_bucket', 'return_bucket'
        ]
    ),
    rejected.transaction_id,
    rejected.missing_customer_id,
    rejected.missing_transaction_id,
    rejected.missing_product_id,
    rejected.missing_item_id
from (
    select
        'customers' as feed,
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        string_to_array(typed.reasons, '; ') as reasons,
        to_jsonb(original) as original,
        null::bigint as transaction_id,
        null::bigint as missing_customer_id,
        null::bigint as missing_transaction_id,
        null::bigint as missing_product_id,
        null::bigint as missing_item_id
    from typed_customers as typed
    inner join staging.customers as original
        on typed.partition_date = original.partition_date and typed.source_row = original.source_row
    where not typed.is_good
    union all
    select
        'products',
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        string_to_array(typed.reasons, '; '),
        to_jsonb(original),
        null,
        null,
        null,
        null,
        null
    from typed_products as typed
    inner join staging.products as original
        on typed.partition_date = original.partition_date and typed.source_row = original.source_row
    where not typed.is_good
    union all
    select
        'transactions',
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        case when typed.is_good then array['customer_id: unknown customer'] else string_to_array(typed.reasons, '; ') end,
        to_jsonb(original),
        typed.transaction_id,
        case when typed.is_good then typed.customer_id end,
        null,
        null,
        null
    from (
        select orders.*
        from typed_orders as orders
        left join production.customers as customers on orders.customer_id = customers.customer_id
        where not orders.is_good or (orders.customer_id is not null and customers.customer_id is null)
    ) as typed
    inner join staging.transactions as original
        on typed.partition_date = original.partition_date and typed.source_row = original.source_row
    union all
    select
        'transaction_items',
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        case
            when typed.is_good
                then array_remove(
                    array[
                        case when typed.has_no_order then 'transaction_id: unknown order' end,
                        case when typed.has_no_product then 'product_id: unknown product' end
                    ],
                    null
                )
            else string_to_array(typed.reasons, '; ')
        end,
        to_jsonb(original),
        typed.transaction_id,
        null,
        case when typed.is_good and typed.has_no_order then typed.transaction_id end,
        case when typed.is_good and typed.has_no_product then typed.product_id end,
        null
    from (
        select
            lines.*,
            orders.transaction_id is null as has_no_order,
            products.product_id is null as has_no_product
        from typed_lines as lines
        left join production.transactions as orders on lines.transaction_id = orders.transaction_id
        left join production.products as products on lines.product_id = products.product_id
        where not lines.is_good or orders.transaction_id is null or products.product_id is null
    ) as typed
    inner join staging.transaction_items as original
        on typed.partition_date = original.partition_date and typed.source_row = original.source_row
    union all
    select
        'returns',
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        case
            when not typed.is_good then string_to_array(typed.reasons, '; ')
            when typed.has_no_order then array['transaction_id: unknown order']
            else array['item_id: unknown order line']
        end,
        to_jsonb(original),
        typed.transaction_id,
        null,
        case when typed.is_good and typed.has_no_order then typed.transaction_id end,
        null,
        case when typed.is_good and not typed.has_no_order then typed.item_id end
    from (
        select
            returns.*,
            orders.transaction_id is null as has_no_order
        from typed_returns as returns
        left join production.transactions as orders on returns.transaction_id = orders.transaction_id
        left join production.transaction_items as lines
            on returns.transaction_id = lines.transaction_id and returns.item_id = lines.item_id
        where not returns.is_good or lines.item_id is null
    ) as typed
    inner join staging.returns as original
        on typed.partition_date = original.partition_date and typed.source_row = original.source_row
) as rejected;

call public.baseline_put_back('production.[^t]%');
analyze production.returns;
drop table typed_customers, typed_products, typed_orders, typed_lines, typed_returns, strays, exported_again;
