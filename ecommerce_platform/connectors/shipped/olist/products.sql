-- Products have no name: it is made of the category and the beginning of the number. From the first sale on.
with first_sales as (
    select
        items.product_id,
        min(sales.moment) as moment,
        mode(amount(items.price) order by amount(items.price)) as price
    from items
    inner join sales on items.order_id = sales.order_id
    where sales.moment is not null and not sales.is_cancelled
    group by items.product_id
),

named as (
    select
        first_sales.*,
        coalesce(max(translations.english), max(products.category), 'Unknown') as category
    from first_sales
    left join products on first_sales.product_id = products.product_id
    left join translations on products.category = translations.category
    group by all
)

select
    product_id,
    replace(category, '_', ' ') || ' ' || left(product_id, 8) as product_name,
    category,
    '' as sub_category,
    '' as brand,
    coalesce(money(up_to_cents(price)), '0.00') as price,
    '' as cost,
    '' as stock_quantity,
    '' as supplier_id,
    moment as updated_at,
    cast(moment as date) as day
from named
