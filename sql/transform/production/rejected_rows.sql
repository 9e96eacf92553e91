-- production.rejected_rows: rows with invalid values, and valid rows whose parent is missing. The rows are judged before they are
-- described: a view names the faults of a row in an expression so long that each further use of it costs as much as the rest. Images
-- and orders are judged apart, because a cluster has them in different places.
-- The days are looked up first: a node of a cluster knows neither how many rows the scope has nor of which days they are.
with days as (
    select array_agg(distinct partition_date) as of_scope
    from scope
),

judged_images as materialized (
    select
        'customers' as feed,
        typed.original,
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        typed.reasons,
        null::bigint as transaction_id,
        null::bigint as missing_customer_id,
        null::bigint as missing_transaction_id,
        null::bigint as missing_product_id,
        null::bigint as missing_item_id
    from production.typed_customers as typed
    left join scope
        on
            scope.feed = 'customers'
            and typed.partition_date = scope.partition_date
            and typed.source_row = scope.source_row
    where
        (%(is_full_refresh)s or scope.feed is not null)
        and (%(is_full_refresh)s or typed.partition_date = any((select days.of_scope from days)::date[]))
        and typed.reasons <> ''
    union all
    select
        'products' as feed,
        typed.original,
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        typed.reasons,
        null as transaction_id,
        null as missing_customer_id,
        null as missing_transaction_id,
        null as missing_product_id,
        null as missing_item_id
    from production.typed_products as typed
    left join scope
        on
            scope.feed = 'products'
            and typed.partition_date = scope.partition_date
            and typed.source_row = scope.source_row
    where
        (%(is_full_refresh)s or scope.feed is not null)
        and (%(is_full_refresh)s or typed.partition_date = any((select days.of_scope from days)::date[]))
        and typed.reasons <> ''
),

judged_orders as materialized (
    select
        'transactions' as feed,
        typed.original,
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        typed.reasons,
        nullif(typed.transaction_id, 0) as transaction_id,
        case when customers.customer_id is null then typed.customer_id end as missing_customer_id,
        null::bigint as missing_transaction_id,
        null::bigint as missing_product_id,
        null::bigint as missing_item_id
    from production.typed_transactions as typed
    left join scope
        on
            scope.feed = 'transactions'
            and typed.partition_date = scope.partition_date
            and typed.source_row = scope.source_row
    left join production.customers as customers on typed.customer_id = customers.customer_id
    where
        (%(is_full_refresh)s or scope.feed is not null)
        and (%(is_full_refresh)s or typed.partition_date = any((select days.of_scope from days)::date[]))
        and (typed.reasons <> '' or (typed.customer_id is not null and customers.customer_id is null))
    union all
    select
        'transaction_items' as feed,
        typed.original,
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        typed.reasons,
        nullif(typed.transaction_id, 0) as transaction_id,
        null as missing_customer_id,
        case when orders.transaction_id is null then typed.transaction_id end as missing_transaction_id,
        case when products.product_id is null then typed.product_id end as missing_product_id,
        null as missing_item_id
    from production.typed_transaction_items as typed
    left join scope
        on
            scope.feed = 'transaction_items'
            and typed.partition_date = scope.partition_date
            and typed.source_row = scope.source_row
    left join production.transactions as orders on typed.transaction_id = orders.transaction_id
    left join production.products as products on typed.product_id = products.product_id
    where
        (%(is_full_refresh)s or scope.feed is not null)
        and (%(is_full_refresh)s or typed.partition_date = any((select days.of_scope from days)::date[]))
        and (typed.reasons <> '' or orders.transaction_id is null or products.product_id is null)
    union all
    select
        'returns' as feed,
        typed.original,
        typed.partition_date,
        typed.source_row,
        typed.source_file,
        typed.reasons,
        nullif(typed.transaction_id, 0) as transaction_id,
        null as missing_customer_id,
        case when orders.transaction_id is null then typed.transaction_id end as missing_transaction_id,
        null as missing_product_id,
        case when orders.transaction_id is not null and lines.item_id is null then typed.item_id end as missing_item_id
    from production.typed_returns as typed
    left join scope
        on
            scope.feed = 'returns'
            and typed.partition_date = scope.partition_date
            and typed.source_row = scope.source_row
    left join production.transactions as orders on typed.transaction_id = orders.transaction_id
    left join production.transaction_items as lines
        on typed.transaction_id = lines.transaction_id and typed.item_id = lines.item_id
    where
        (%(is_full_refresh)s or scope.feed is not null)
        and (%(is_full_refresh)s or typed.partition_date = any((select days.of_scope from days)::date[]))
        and (typed.reasons <> '' or lines.item_id is null)
),

judged as (
    select * from judged_images
    union all
    select * from judged_orders
)

select
    feed,
    partition_date,
    source_row,
    source_file,
    case
        when reasons <> '' then string_to_array(reasons, '; ')
        else
            array_remove(
                array[
                    case when missing_customer_id is not null then 'customer_id: unknown customer' end,
                    case when missing_transaction_id is not null then 'transaction_id: unknown order' end,
                    case when missing_product_id is not null then 'product_id: unknown product' end,
                    case when missing_item_id is not null then 'item_id: unknown order line' end
                ],
                null
            )
    end as reasons,
    jsonb_strip_nulls(
        original - array[
            'partition_date', 'source_file', 'source_row', 'load_id', 'loaded_at', 'is_plain', 'order_key',
            'customer_bucket', 'product_bucket', 'transaction_bucket', 'item_bucket', 'return_bucket'
        ]
    ) as original,
    transaction_id,
    case when reasons = '' then missing_customer_id end as missing_customer_id,
    case when reasons = '' then missing_transaction_id end as missing_transaction_id,
    case when reasons = '' then missing_product_id end as missing_product_id,
    case when reasons = '' then missing_item_id end as missing_item_id
from judged
