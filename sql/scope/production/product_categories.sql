-- The categories that a run may bring, and those that only the days of this run had used.
select category_id
from production.typed_products
where
    is_good
    and partition_date >= %(window_start)s and partition_date < %(window_end)s
    and category_id not in (select known.category_id from production.product_categories as known)
union
select known.category_id
from production.product_categories as known
where
    not exists (
        select 1
        from production.product_versions as versions
        where
            versions.category_id = known.category_id
            and not (versions.partition_date >= %(window_start)s and versions.partition_date < %(window_end)s)
    )
    and not exists (
        select 1
        from production.typed_products as typed
        where
            typed.is_good
            and typed.category_id = known.category_id
            and typed.partition_date >= %(window_start)s and typed.partition_date < %(window_end)s
    )
