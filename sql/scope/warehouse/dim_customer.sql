-- The customers with an inserted, updated, or deleted image, identifier, or purchase. Purchases only ever raise a segment, so that a
-- new one creates no version if the age group on that day is unchanged and the segment on that day is also the one after all
-- purchases. These customers are left out: a day need not compute the versions of all its customers. Of VIPs, not even the
-- purchases are added up.
with purchases as (
    select
        customer_id,
        transaction_date,
        bool_and(operation in ('I', 'R')) as is_new,
        -- False if the rows are only read again (R): the run is a repair, so the customer is computed.
        bool_or(operation = 'I') as is_inserted
    from (
        select
            customer_id,
            transaction_date,
            operation
        from production_transactions_changes
        union all
        select
            orders.customer_id,
            orders.transaction_date,
            lines.operation
        from production_transaction_items_changes as lines
        inner join production.transactions as orders on lines.transaction_id = orders.transaction_id
    ) as changed
    -- Guests have no version.
    where customer_id is not null
    group by customer_id, transaction_date
),

known as materialized (
    -- The segment on the day, if the age group is unchanged.
    select
        purchases.customer_id,
        purchases.is_inserted,
        (
            select versions.segment
            from warehouse.dim_customer as versions
            inner join lateral (
                select images.date_of_birth
                from production.customer_versions as images
                where images.customer_id = versions.customer_id
                order by
                    images.valid_from > purchases.transaction_date, abs(images.valid_from - purchases.transaction_date)
                limit 1
            ) as image on true
            where
                purchases.is_new
                and versions.customer_id = purchases.customer_id
                and versions.valid_from <= purchases.transaction_date
                and versions.valid_to > purchases.transaction_date
                and versions.age_group = warehouse.age_group(image.date_of_birth, purchases.transaction_date)
        ) as segment
    from purchases
),

orders as (
    -- Sorted like the order lines, so that lookups of neighboring orders hit the same pages.
    select
        transaction_id,
        customer_id
    from production.transactions
    where
        customer_id in (
            select known.customer_id
            from known
            where known.is_inserted and known.segment <> 'VIP'
        )
    order by transaction_id
),

in_all as (
    select
        orders.customer_id,
        warehouse.segment(count(*), sum(sums.revenue)) as segment
    from orders
    cross join
        lateral (
            select sum(lines.line_total) as revenue
            from production.transaction_items as lines
            where lines.transaction_id = orders.transaction_id
            group by lines.transaction_id
        ) as sums
    group by orders.customer_id
)

select customer_id
from production_customer_versions_changes
union
select key as customer_id
from production_identifiers_changes
where entity = 'customer'
union
select known.customer_id
from known
left join in_all on known.customer_id = in_all.customer_id and known.is_inserted
where known.segment is null or (known.segment <> 'VIP' and known.segment is distinct from in_all.segment)
