-- The products with an image that came, changed or went.
select product_id
from production_product_versions_changes
