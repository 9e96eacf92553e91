-- The products with an image in an added or removed load or in a category that was added or removed, the products that were
-- themselves added or removed, and those whose identifier came or went.
select images.product_id
from production_loaded_days_changes as loads
inner join production.parsed_products as images
    on loads.partition_date = images.partition_date and loads.load_id = images.load_id
where loads.feed = 'products' and images.product_id is not null
union
select images.product_id
from production_product_categories_changes as categories
inner join production.parsed_products as images on categories.category_id = images.category_id
where categories.operation in ('I', 'D') and images.product_id is not null
union
select product_id
from production_products_changes
where operation in ('I', 'D')
union
select key as product_id
from production_identifiers_changes
where entity = 'product'
