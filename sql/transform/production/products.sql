-- production.products: the latest image of each product.
select distinct on (typed.product_id)
    typed.product_id,
    typed.valid_from,
    typed.product_name,
    typed.category_id,
    typed.brand,
    typed.price,
    typed.cost,
    typed.stock_quantity,
    typed.supplier_id,
    typed.updated_at,
    typed.partition_date,
    typed.source_row
from production.typed_products as typed
inner join production.product_categories as categories on typed.category_id = categories.category_id
left join scope
    on typed.product_bucket = platform.bucket(scope.product_id) and platform.is_same_key(typed.product_id, scope.product_id)
where
    typed.is_good
    and (%(is_full_refresh)s or scope.product_id is not null)
order by
    typed.product_id,
    typed.valid_from desc,
    typed.updated_at desc,
    typed.partition_date desc,
    typed.source_row desc
