-- repeatable: what an exported row says. One view per feed types every row of staging and names each fault of its text:
-- production.parsed_FEED. reasons is empty for a good row; parents are judged later. Blank is unknown: a cost is null, a category
-- or payment method is 'Unknown', and an order without a customer (a guest) has no customer_id. is_good says the same through coalesce,
-- because the planner takes a text that equals '' for rare, and good rows are the rule. production.typed_FEED holds the rows
-- that production takes: those of the loads that passed their checks.
-- An identifier has three columns: its key, its bucket, and its text. An index of staging finds the bucket, which is the key of
-- all but the few texts that found it taken: join by the bucket, and by platform.is_same_key of the keys.
drop view if exists production.staged_rows;

-- Indexes of staging find these rows, so that a shop whose identifiers are numbers pays next to nothing.
create or replace view production.staged_identifiers as
select
    'customer' as entity,
    load_id,
    partition_date,
    platform.clean(customer_id) as identifier,
    customer_bucket as bucket
from staging.customers
where customer_bucket < 0
union all
select
    'product' as entity,
    load_id,
    partition_date,
    platform.clean(product_id) as identifier,
    product_bucket as bucket
from staging.products
where product_bucket < 0
union all
select
    'customer' as entity,
    load_id,
    partition_date,
    platform.clean(customer_id) as identifier,
    customer_bucket as bucket
from staging.transactions
where customer_bucket < 0
union all
select
    'product' as entity,
    load_id,
    partition_date,
    platform.clean(product_id) as identifier,
    product_bucket as bucket
from staging.transaction_items
where product_bucket < 0
union all
select
    'transaction' as entity,
    load_id,
    partition_date,
    platform.clean(transaction_id) as identifier,
    transaction_bucket as bucket
from staging.transactions
where transaction_bucket < 0
union all
select
    'transaction' as entity,
    load_id,
    partition_date,
    platform.clean(transaction_id) as identifier,
    transaction_bucket as bucket
from staging.transaction_items
where transaction_bucket < 0
union all
select
    'item' as entity,
    load_id,
    partition_date,
    platform.clean(item_id) as identifier,
    item_bucket as bucket
from staging.transaction_items
where item_bucket < 0
union all
select
    'transaction' as entity,
    load_id,
    partition_date,
    platform.clean(transaction_id) as identifier,
    transaction_bucket as bucket
from staging.returns
where transaction_bucket < 0
union all
select
    'item' as entity,
    load_id,
    partition_date,
    platform.clean(item_id) as identifier,
    item_bucket as bucket
from staging.returns
where item_bucket < 0
union all
select
    'return' as entity,
    load_id,
    partition_date,
    platform.clean(return_id) as identifier,
    return_bucket as bucket
from staging.returns
where return_bucket < 0;

-- The few texts that found the first key of their bucket taken. Rows are looked up here only if there is any, which min() finds by
-- the index: the planner takes nearly all texts for displaced, so that exists() would read the whole table.
create or replace view production.displaced_identifiers as
select
    entity,
    identifier,
    key
from production.identifiers
where key & 15 <> 0;

create or replace view production.parsed_customers as
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
    coalesce(reasons = '', false) as is_good,
    original
from (
    select
        s.load_id,
        s.partition_date,
        s.source_row,
        s.source_file,
        case
            when s.customer_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'customer' and known.identifier = platform.clean(s.customer_id)
                    ),
                    s.customer_bucket
                )
            else s.customer_bucket
        end as customer_id,
        s.customer_bucket,
        platform.clean(s.customer_id) as customer_code,
        platform.clean(s.first_name) as first_name,
        platform.clean(s.last_name) as last_name,
        platform.clean(s.email) as email,
        platform.clean(s.phone) as phone,
        platform.parse_date(s.date_of_birth) as date_of_birth,
        platform.clean(s.street_address) as street_address,
        platform.clean(s.city) as city,
        upper(platform.clean(s.state)) as state,
        platform.clean(s.postal_code) as postal_code,
        upper(platform.clean(s.country)) as country,
        platform.parse_date(s.registered_on) as registered_on,
        platform.parse_timestamp(s.updated_at) as updated_at,
        least((platform.parse_timestamp(s.updated_at) at time zone 'UTC')::date, s.partition_date) as valid_from,
        case
            when s.malformed is not null then 'row: cannot be split into its columns'
            else concat_ws(
                '; ',
                case
                    when platform.clean(s.customer_id) is null then 'customer_id: blank'
                    when s.customer_bucket is null then 'customer_id: longer than 200 characters'
                end,
                case
                    when platform.clean(s.date_of_birth) is not null and platform.parse_date(s.date_of_birth) is null
                        then 'date_of_birth: not a date (YYYY-MM-DD)'
                end,
                case when upper(platform.clean(s.state)) !~ '^[A-Z0-9]{1,3}$' then 'state: not an ISO 3166-2 code without its country' end,
                case
                    when coalesce(upper(platform.clean(s.country)), '') !~ '^[A-Z]{2}$'
                        then 'country: not an ISO 3166-1 alpha-2 code'
                end,
                case when platform.parse_date(s.registered_on) is null then 'registered_on: not a date (YYYY-MM-DD)' end,
                case
                    when platform.parse_timestamp(s.updated_at) is null then 'updated_at: not a timestamp (ISO 8601)'
                    when platform.parse_timestamp(s.updated_at) < '2000-01-01T00:00:00Z' then 'updated_at: before 2000-01-01'
                end
            )
        end as reasons,
        to_jsonb(s) as original
    from staging.customers as s
) as parsed;

create or replace view production.typed_customers as
select parsed.* -- noqa: AM04
from production.parsed_customers as parsed
inner join production.loaded_days as loaded
    on parsed.load_id = loaded.load_id and loaded.feed = 'customers';

create or replace view production.parsed_products as
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
    coalesce(reasons = '', false) as is_good,
    original
from (
    select
        s.load_id,
        s.partition_date,
        s.source_row,
        s.source_file,
        case
            when s.product_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'product' and known.identifier = platform.clean(s.product_id)
                    ),
                    s.product_bucket
                )
            else s.product_bucket
        end as product_id,
        s.product_bucket,
        platform.clean(s.product_id) as product_code,
        platform.clean(s.product_name) as product_name,
        coalesce(platform.clean(s.category), 'Unknown') as category,
        coalesce(platform.clean(s.sub_category), '') as sub_category,
        platform.key_of(
            length(coalesce(platform.clean(s.category), 'Unknown')) || ':' || coalesce(platform.clean(s.category), 'Unknown')
            || coalesce(platform.clean(s.sub_category), '')
        ) as category_id,
        platform.clean(s.brand) as brand,
        platform.parse_money(s.price) as price,
        platform.parse_money(s.cost) as cost,
        platform.parse_integer(s.stock_quantity) as stock_quantity,
        platform.parse_number(s.supplier_id) as supplier_id,
        platform.parse_timestamp(s.updated_at) as updated_at,
        least((platform.parse_timestamp(s.updated_at) at time zone 'UTC')::date, s.partition_date) as valid_from,
        case
            when s.malformed is not null then 'row: cannot be split into its columns'
            else concat_ws(
                '; ',
                case
                    when platform.clean(s.product_id) is null then 'product_id: blank'
                    when s.product_bucket is null then 'product_id: longer than 200 characters'
                end,
                case when platform.clean(s.product_name) is null then 'product_name: blank' end,
                case when length(s.category) > 200 then 'category: longer than 200 characters' end,
                case when length(s.sub_category) > 200 then 'sub_category: longer than 200 characters' end,
                case
                    when platform.parse_money(s.price) is null then 'price: not an amount'
                    when platform.parse_money(s.price) < 0 then 'price: negative'
                end,
                case
                    when platform.clean(s.cost) is not null and platform.parse_money(s.cost) is null then 'cost: not an amount'
                    when platform.parse_money(s.cost) < 0 then 'cost: negative'
                end,
                case
                    when platform.clean(s.stock_quantity) is not null and platform.parse_integer(s.stock_quantity) is null
                        then 'stock_quantity: not an integer'
                end,
                case
                    when platform.clean(s.supplier_id) is not null and platform.parse_number(s.supplier_id) is null
                        then 'supplier_id: not a positive integer of at most 18 digits'
                end,
                case
                    when platform.parse_timestamp(s.updated_at) is null then 'updated_at: not a timestamp (ISO 8601)'
                    when platform.parse_timestamp(s.updated_at) < '2000-01-01T00:00:00Z' then 'updated_at: before 2000-01-01'
                end,
                case
                    when s.extra_columns ->> 'currency' is not null
                        then
                            platform.currency_fault(
                                platform.clean(s.extra_columns ->> 'currency'),
                                (platform.parse_timestamp(s.updated_at) at time zone 'UTC')::date
                            )
                end
            )
        end as reasons,
        to_jsonb(s) as original
    from staging.products as s
) as parsed;

create or replace view production.typed_products as
select parsed.* -- noqa: AM04
from production.parsed_products as parsed
inner join production.loaded_days as loaded
    on parsed.load_id = loaded.load_id and loaded.feed = 'products';

create or replace view production.parsed_transactions as
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
    coalesce(reasons = '', false) as is_good,
    original,
    currency
from (
    select
        s.load_id,
        s.partition_date,
        s.source_row,
        s.source_file,
        case
            when s.transaction_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'transaction' and known.identifier = platform.clean(s.transaction_id)
                    ),
                    s.transaction_bucket
                )
            else s.transaction_bucket
        end as transaction_id,
        s.transaction_bucket,
        platform.clean(s.transaction_id) as transaction_code,
        case
            when s.customer_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'customer' and known.identifier = platform.clean(s.customer_id)
                    ),
                    s.customer_bucket
                )
            else s.customer_bucket
        end as customer_id,
        s.customer_bucket,
        platform.clean(s.customer_id) as customer_code,
        case when s.is_plain then s.transaction_date::date else platform.parse_date(s.transaction_date) end
            as transaction_date,
        case when s.is_plain then s.transaction_time::time else platform.parse_time(s.transaction_time) end
            as transaction_time,
        coalesce(platform.clean(s.payment_method), 'Unknown') as payment_method,
        platform.key_of(coalesce(platform.clean(s.payment_method), 'Unknown')) as payment_method_id,
        platform.clean(s.shipping_address) as shipping_address,
        platform.clean(s.shipping_city) as shipping_city,
        upper(platform.clean(s.shipping_state)) as shipping_state,
        case when s.is_plain then s.total_amount::numeric(12, 2) else platform.parse_money(s.total_amount) end
            as total_amount,
        case
            when
                s.is_plain
                and s.transaction_bucket is not null
                and (s.customer_bucket is not null or platform.clean(s.customer_id) is null)
                and s.transaction_date::date <= s.partition_date
                and length(s.payment_method) <= 200
                and s.extra_columns ->> 'currency' is null
                then ''
            when s.malformed is not null then 'row: cannot be split into its columns'
            else concat_ws(
                '; ',
                case
                    when platform.clean(s.transaction_id) is null then 'transaction_id: blank'
                    when s.transaction_bucket is null then 'transaction_id: longer than 200 characters'
                end,
                case
                    when platform.clean(s.customer_id) is not null and s.customer_bucket is null
                        then 'customer_id: longer than 200 characters'
                end,
                case
                    when platform.parse_date(s.transaction_date) is null then 'transaction_date: not a date (YYYY-MM-DD)'
                    when platform.parse_date(s.transaction_date) < '2000-01-01' then 'transaction_date: before 2000-01-01'
                    when platform.parse_date(s.transaction_date) > s.partition_date
                        then 'transaction_date: after the day of its file'
                end,
                case
                    when platform.clean(s.transaction_time) is not null and platform.parse_time(s.transaction_time) is null
                        then 'transaction_time: not a time (HH:MM:SS)'
                end,
                case when length(s.payment_method) > 200 then 'payment_method: longer than 200 characters' end,
                case
                    when platform.parse_money(s.total_amount) is null then 'total_amount: not an amount'
                    when platform.parse_money(s.total_amount) < 0 then 'total_amount: negative'
                end,
                case
                    when s.extra_columns ->> 'currency' is not null
                        then
                            platform.currency_fault(
                                platform.clean(s.extra_columns ->> 'currency'), platform.parse_date(s.transaction_date)
                            )
                end
            )
        end as reasons,
        to_jsonb(s) as original,
        platform.clean(s.extra_columns ->> 'currency') as currency
    from staging.transactions as s
) as parsed;

create or replace view production.typed_transactions as
select parsed.* -- noqa: AM04
from production.parsed_transactions as parsed
inner join production.loaded_days as loaded
    on parsed.load_id = loaded.load_id and loaded.feed = 'transactions';

create or replace view production.parsed_transaction_items as
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
    coalesce(reasons = '', false) as is_good,
    original
from (
    select
        s.load_id,
        s.partition_date,
        s.source_row,
        s.source_file,
        case
            when s.item_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'item' and known.identifier = platform.clean(s.item_id)
                    ),
                    s.item_bucket
                )
            else s.item_bucket
        end as item_id,
        case
            when s.transaction_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'transaction' and known.identifier = platform.clean(s.transaction_id)
                    ),
                    s.transaction_bucket
                )
            else s.transaction_bucket
        end as transaction_id,
        s.transaction_bucket,
        platform.clean(s.transaction_id) as transaction_code,
        case
            when s.product_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'product' and known.identifier = platform.clean(s.product_id)
                    ),
                    s.product_bucket
                )
            else s.product_bucket
        end as product_id,
        s.product_bucket,
        platform.clean(s.product_id) as product_code,
        case when s.is_plain then s.quantity::integer else platform.parse_integer(s.quantity) end as quantity,
        case when s.is_plain then s.unit_price::numeric(12, 2) else platform.parse_money(s.unit_price) end as unit_price,
        case when s.is_plain then s.discount_amount::numeric(12, 2) else coalesce(platform.parse_money(s.discount_amount), 0) end
            as discount_amount,
        case when s.is_plain then s.line_total::numeric(12, 2) else platform.parse_money(s.line_total) end as line_total,
        case
            when
                s.is_plain
                and s.item_bucket is not null
                and s.transaction_bucket is not null
                and s.product_bucket is not null
                and s.line_total::numeric = s.quantity::integer * s.unit_price::numeric - s.discount_amount::numeric
                then ''
            when s.malformed is not null then 'row: cannot be split into its columns'
            else concat_ws(
                '; ',
                case
                    when platform.clean(s.item_id) is null then 'item_id: blank'
                    when s.item_bucket is null then 'item_id: longer than 200 characters'
                end,
                case
                    when platform.clean(s.transaction_id) is null then 'transaction_id: blank'
                    when s.transaction_bucket is null then 'transaction_id: longer than 200 characters'
                end,
                case
                    when platform.clean(s.product_id) is null then 'product_id: blank'
                    when s.product_bucket is null then 'product_id: longer than 200 characters'
                end,
                case
                    when platform.parse_integer(s.quantity) is null then 'quantity: not an integer'
                    when platform.parse_integer(s.quantity) <= 0 then 'quantity: not positive'
                end,
                case
                    when platform.parse_money(s.unit_price) is null then 'unit_price: not an amount'
                    when platform.parse_money(s.unit_price) < 0 then 'unit_price: negative'
                end,
                case
                    when platform.clean(s.discount_amount) is not null and platform.parse_money(s.discount_amount) is null
                        then 'discount_amount: not an amount'
                    when platform.parse_money(s.discount_amount) < 0 then 'discount_amount: negative'
                end,
                case
                    when platform.parse_money(s.line_total) is null then 'line_total: not an amount'
                    when platform.parse_money(s.line_total) < 0 then 'line_total: negative'
                    when
                        platform.parse_money(s.line_total)
                        <> platform.parse_integer(s.quantity) * platform.parse_money(s.unit_price)
                        - coalesce(platform.parse_money(s.discount_amount), 0)
                        then 'line_total: is not quantity * unit_price - discount_amount'
                end
            )
        end as reasons,
        to_jsonb(s) as original
    from staging.transaction_items as s
) as parsed;

create or replace view production.typed_transaction_items as
select parsed.* -- noqa: AM04
from production.parsed_transaction_items as parsed
inner join production.loaded_days as loaded
    on parsed.load_id = loaded.load_id and loaded.feed = 'transaction_items';

create or replace view production.parsed_returns as
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
    coalesce(reasons = '', false) as is_good,
    original
from (
    select
        s.load_id,
        s.partition_date,
        s.source_row,
        s.source_file,
        case
            when s.return_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'return' and known.identifier = platform.clean(s.return_id)
                    ),
                    s.return_bucket
                )
            else s.return_bucket
        end as return_id,
        s.return_bucket,
        platform.clean(s.return_id) as return_code,
        case
            when s.transaction_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'transaction' and known.identifier = platform.clean(s.transaction_id)
                    ),
                    s.transaction_bucket
                )
            else s.transaction_bucket
        end as transaction_id,
        s.transaction_bucket,
        platform.clean(s.transaction_id) as transaction_code,
        case
            when s.item_bucket < 0 and (select min(entity) from production.displaced_identifiers) is not null
                then coalesce(
                    (
                        select known.key
                        from production.displaced_identifiers as known
                        where known.entity = 'item' and known.identifier = platform.clean(s.item_id)
                    ),
                    s.item_bucket
                )
            else s.item_bucket
        end as item_id,
        s.item_bucket,
        platform.clean(s.item_id) as item_code,
        case when s.is_plain then s.returned_on::date else platform.parse_date(s.returned_on) end as returned_on,
        case when s.is_plain then s.quantity::integer else platform.parse_integer(s.quantity) end as quantity,
        case when s.is_plain then s.refund_amount::numeric(12, 2) else platform.parse_money(s.refund_amount) end as refund_amount,
        platform.clean(s.reason) as reason,
        case
            when
                s.is_plain
                and s.return_bucket is not null
                and s.transaction_bucket is not null
                and s.item_bucket is not null
                and s.returned_on::date <= s.partition_date
                then ''
            when s.malformed is not null then 'row: cannot be split into its columns'
            else concat_ws(
                '; ',
                case
                    when platform.clean(s.return_id) is null then 'return_id: blank'
                    when s.return_bucket is null then 'return_id: longer than 200 characters'
                end,
                case
                    when platform.clean(s.transaction_id) is null then 'transaction_id: blank'
                    when s.transaction_bucket is null then 'transaction_id: longer than 200 characters'
                end,
                case
                    when platform.clean(s.item_id) is null then 'item_id: blank'
                    when s.item_bucket is null then 'item_id: longer than 200 characters'
                end,
                case
                    when platform.parse_date(s.returned_on) is null then 'returned_on: not a date (YYYY-MM-DD)'
                    when platform.parse_date(s.returned_on) < '2000-01-01' then 'returned_on: before 2000-01-01'
                    when platform.parse_date(s.returned_on) > s.partition_date then 'returned_on: after the day of its file'
                end,
                case
                    when platform.parse_integer(s.quantity) is null then 'quantity: not an integer'
                    when platform.parse_integer(s.quantity) < 0 then 'quantity: negative'
                end,
                case
                    when platform.parse_money(s.refund_amount) is null then 'refund_amount: not an amount'
                    when platform.parse_money(s.refund_amount) < 0 then 'refund_amount: negative'
                end
            )
        end as reasons,
        to_jsonb(s) as original
    from staging.returns as s
) as parsed;

create or replace view production.typed_returns as
select parsed.* -- noqa: AM04
from production.parsed_returns as parsed
inner join production.loaded_days as loaded
    on parsed.load_id = loaded.load_id and loaded.feed = 'returns';

comment on view production.staged_identifiers is 'The identifiers of staging that are not positive integers, with their buckets.';
comment on view production.displaced_identifiers is 'Identifiers that share a bucket with one that came first.';
comment on view production.parsed_customers is 'Customers of staging, typed, with the faults of each row.';
comment on view production.parsed_products is 'Products of staging, typed, with the faults of each row.';
comment on view production.parsed_transactions is 'Orders of staging, typed, with the faults of each row.';
comment on view production.parsed_transaction_items is 'Order lines of staging, typed, with the faults of each row.';
comment on view production.parsed_returns is 'Returns of staging, typed, with the faults of each row.';
comment on view production.typed_customers is 'Customers of the loads that passed their checks, typed.';
comment on view production.typed_products is 'Products of the loads that passed their checks, typed.';
comment on view production.typed_transactions is 'Orders of the loads that passed their checks, typed.';
comment on view production.typed_transaction_items is 'Order lines of the loads that passed their checks, typed.';
comment on view production.typed_returns is 'Returns of the loads that passed their checks, typed.';
