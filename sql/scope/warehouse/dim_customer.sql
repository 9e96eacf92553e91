-- The customers with an inserted, updated, or deleted image, identifier, or purchase. A new purchase by a VIP whose age group is unchanged
-- on that day creates no version, so these customers are left out. Otherwise a day would read the whole purchase history of
-- its customers, most of whom are VIPs.
with purchases as (
    select
        customer_id,
        transaction_date,
        operation in ('I', 'R') as is_new
    from production_transactions_changes
    union
    select
        orders.customer_id,
        orders.transaction_date,
        lines.operation in ('I', 'R') as is_new
    from production_transaction_items_changes as lines
    inner join production.transactions as orders on lines.transaction_id = orders.transaction_id
)

select customer_id
from production_customer_versions_changes
union
select key as customer_id
from production_identifiers_changes
where entity = 'customer'
union
select purchases.customer_id
from purchases
where
    not purchases.is_new
    or not exists (
        select 1
        from warehouse.dim_customer as versions
        inner join lateral (
            select images.date_of_birth
            from production.customer_versions as images
            where images.customer_id = versions.customer_id
            order by images.valid_from > purchases.transaction_date, abs(images.valid_from - purchases.transaction_date)
            limit 1
        ) as image on true
        where
            versions.customer_id = purchases.customer_id
            and versions.valid_from <= purchases.transaction_date
            and versions.valid_to > purchases.transaction_date
            and versions.segment = 'VIP'
            and versions.age_group = warehouse.age_group(image.date_of_birth, purchases.transaction_date)
    )
