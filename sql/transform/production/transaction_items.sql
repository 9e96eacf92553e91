-- production.transaction_items: the valid lines of each order whose product is known. The latest day that exports an
-- order together with lines is its base: lines of earlier days are superseded; later lines are added or replace existing ones.
with lines as (
    select
        typed.*,
        -- Whether the order's header was exported, and valid, on the same day as the line. True for nearly every line.
        case
            when typed.partition_date = orders.partition_date then true
            else coalesce(
                (
                    select bool_or(headers.is_good)
                    from production.typed_transactions as headers
                    left join production.customers as customers on headers.customer_id = customers.customer_id
                    where
                        headers.transaction_bucket = typed.transaction_bucket
                        and headers.transaction_id = typed.transaction_id
                        and (headers.customer_id is null or customers.customer_id is not null)
                        and headers.partition_date = typed.partition_date
                ),
                false
            )
        end as is_with_header
    from production.typed_transaction_items as typed
    inner join production.transactions as orders on typed.transaction_id = orders.transaction_id
    inner join production.products as products on typed.product_id = products.product_id
    left join scope
        on
            typed.transaction_bucket = platform.bucket(scope.transaction_id)
            and platform.is_same_key(typed.transaction_id, scope.transaction_id)
    where
        typed.is_good
        and (%(is_full_refresh)s or scope.transaction_id is not null)
),

based as (
    select
        lines.*,
        max(lines.partition_date) filter (where lines.is_with_header) over (partition by lines.transaction_id) as base
    from lines
)

select distinct on (transaction_id, item_id)
    transaction_id,
    item_id,
    product_id,
    quantity,
    unit_price,
    discount_amount,
    line_total,
    partition_date,
    source_row
from based
where base is null or partition_date >= base
order by transaction_id, item_id, partition_date desc, source_row desc
