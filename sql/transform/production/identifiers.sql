-- production.identifiers: the key of each identifier that is not a positive integer. A known text keeps its key. A new one gets the
-- first key of its bucket that is free, which is the same in any order of loads, unless two texts share a bucket.
-- Of some identifiers, one row each is looked up; the planner would rather read all of staging.
with used as (
    select distinct
        entity,
        identifier,
        bucket
    from (
        select
            named.entity,
            named.identifier,
            named.bucket
        from production.staged_identifiers as named
        inner join production.loaded_days as loaded on named.load_id = loaded.load_id
        where %(is_full_refresh)s
        union all
        select
            'customer' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    images.customer_code as identifier,
                    images.customer_bucket as bucket
                from production.typed_customers as images
                where
                    images.customer_bucket = platform.parse_short_id(scope.identifier)
                    and images.customer_code = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'customer' and not %(is_full_refresh)s
        union all
        select
            'customer' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    orders.customer_code as identifier,
                    orders.customer_bucket as bucket
                from production.typed_transactions as orders
                where
                    orders.customer_bucket = platform.parse_short_id(scope.identifier)
                    and orders.customer_code = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'customer' and not %(is_full_refresh)s
        union all
        select
            'product' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    images.product_code as identifier,
                    images.product_bucket as bucket
                from production.typed_products as images
                where
                    images.product_bucket = platform.parse_short_id(scope.identifier)
                    and images.product_code = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'product' and not %(is_full_refresh)s
        union all
        select
            'product' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    lines.product_code as identifier,
                    lines.product_bucket as bucket
                from production.typed_transaction_items as lines
                where
                    lines.product_bucket = platform.parse_short_id(scope.identifier)
                    and lines.product_code = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'product' and not %(is_full_refresh)s
        union all
        select
            'transaction' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    orders.transaction_code as identifier,
                    orders.transaction_bucket as bucket
                from production.typed_transactions as orders
                where
                    orders.transaction_bucket = platform.parse_id(scope.identifier)
                    and orders.transaction_code = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'transaction' and not %(is_full_refresh)s
        union all
        select
            'transaction' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    lines.transaction_code as identifier,
                    lines.transaction_bucket as bucket
                from production.typed_transaction_items as lines
                where
                    lines.transaction_bucket = platform.parse_id(scope.identifier)
                    and lines.transaction_code = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'transaction' and not %(is_full_refresh)s
        union all
        select
            'item' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    platform.clean(lines.item_id) as identifier,
                    platform.parse_id(lines.item_id) as bucket
                from staging.transaction_items as lines
                inner join production.loaded_days as loaded on lines.load_id = loaded.load_id
                where
                    lines.is_plain is not true
                    and platform.parse_id(lines.item_id) = platform.parse_id(scope.identifier)
                    and platform.clean(lines.item_id) = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'item' and not %(is_full_refresh)s
        union all
        select
            'transaction' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    returns.transaction_code as identifier,
                    returns.transaction_bucket as bucket
                from production.typed_returns as returns
                where
                    returns.transaction_bucket = platform.parse_id(scope.identifier)
                    and returns.transaction_code = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'transaction' and not %(is_full_refresh)s
        union all
        select
            'item' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    returns.item_code as identifier,
                    returns.item_bucket as bucket
                from production.typed_returns as returns
                where
                    returns.item_bucket = platform.parse_id(scope.identifier)
                    and returns.item_code = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'item' and not %(is_full_refresh)s
        union all
        select
            'return' as entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    returns.return_code as identifier,
                    returns.return_bucket as bucket
                from production.typed_returns as returns
                where
                    returns.return_bucket = platform.parse_id(scope.identifier)
                    and returns.return_code = scope.identifier
                limit 1 -- noqa: AM09
            ) as found
        where scope.entity = 'return' and not %(is_full_refresh)s
    ) as named
),

numbered as (
    select
        used.entity,
        used.identifier,
        used.bucket,
        known.key,
        row_number() over (
            partition by used.entity, used.bucket, known.key is null order by used.identifier collate "C" -- noqa: RF02
        ) as number
    from used
    left join production.identifiers as known on used.entity = known.entity and used.identifier = known.identifier
)

select
    numbered.entity,
    numbered.identifier,
    coalesce(
        numbered.key,
        (
            select numbered.bucket + slots.slot
            from generate_series(0, 15) as slots (slot)
            where
                not exists (
                    select 1
                    from production.identifiers as holder
                    where holder.entity = numbered.entity and holder.key = numbered.bucket + slots.slot
                )
            order by slots.slot
            limit 1 offset numbered.number - 1
        )
    ) as key
from numbered
