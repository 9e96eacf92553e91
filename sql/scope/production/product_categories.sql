-- The categories that a load introduces, and those that may have lost their last load.
with used as (
    select distinct
        images.category_id,
        images.partition_date
    from production_loaded_days_changes as loads
    inner join production.parsed_products as images
        on loads.partition_date = images.partition_date and loads.load_id = images.load_id
    where loads.feed = 'products' and images.is_good
),

still_used as (
    select distinct
        images.category_id,
        images.partition_date
    from production_loaded_days_changes as loads
    inner join production.typed_products as images on loads.partition_date = images.partition_date
    where loads.feed = 'products' and images.is_good
)

select used.category_id
from used
left join production.product_categories as known on used.category_id = known.category_id
left join still_used on used.category_id = still_used.category_id and used.partition_date = still_used.partition_date
where known.category_id is null or still_used.category_id is null
