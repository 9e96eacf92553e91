-- production.product_categories: the categories of all good product rows.
select distinct
    category_id,
    category,
    sub_category
from production.typed_products
where
    is_good
    and (%(everything)s or category_id in (select scope.category_id from scope))
