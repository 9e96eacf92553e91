-- The products with an inserted, updated, or deleted image.
select product_id
from production_product_versions_changes
