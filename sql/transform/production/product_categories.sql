-- production.product_categories: the categories of all valid product rows.
select distinct
    typed.category_id,
    typed.category,
    typed.sub_category
from production.typed_products as typed
left join scope on typed.category_id = scope.category_id
where
    typed.is_good
    and (%(is_full_refresh)s or scope.category_id is not null)
