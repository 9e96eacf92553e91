-- Each image of a product, on the day of its change.
select
    product_id,
    product_name,
    category,
    sub_category,
    brand,
    price,
    cost,
    stock_quantity,
    supplier_id,
    updated_at,
    day
from products
