-- The products with an inserted, updated, or deleted image or identifier.
select product_id
from production_product_versions_changes
union
select key as product_id
from production_identifiers_changes
where entity = 'product'
