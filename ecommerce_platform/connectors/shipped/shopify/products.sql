-- Products of the export, one per variant with an SKU, as they are now; and those that orders name, but no export has.
-- Each is known from its first sale on, or from the first day on if there is none.
with first_sales as (
    select
        product_id,
        min(moment) as moment,
        mode(product_name order by product_name) as product_name,
        max(vendor) as vendor,
        mode(price order by price) as price
    from lines
    where moment is not null
    group by product_id
),

variants as (
    select
        sku,
        coalesce(title, max(title) over (partition by handle)) as title,
        coalesce(vendor, max(vendor) over (partition by handle)) as vendor,
        coalesce(category, max(category) over (partition by handle)) as category,
        coalesce(type, max(type) over (partition by handle)) as type,
        option_value,
        price,
        cost,
        stock
    from products
),

exported as (
    select
        sku as product_id,
        max(title || case when lower(option_value) <> 'default title' then ' - ' || option_value else '' end) as named,
        max(title) as title,
        max(vendor) as vendor,
        max(category) as category,
        max(type) as type,
        max(price) as price,
        max(cost) as cost,
        max(stock) as stock
    from variants
    where sku is not null
    group by sku
)

select
    coalesce(exported.product_id, first_sales.product_id) as product_id,
    coalesce(exported.named, exported.title, first_sales.product_name, first_sales.product_id) as product_name,
    -- The category of Shopify's taxonomy is a path, such as Apparel & Accessories > Clothing > Shirts.
    coalesce(exported.type, split_part(exported.category, ' > ', 1), 'Unknown') as category,
    '' as sub_category,
    coalesce(exported.vendor, first_sales.vendor) as brand,
    coalesce(money(amount(exported.price)), exported.price, money(first_sales.price), '0.00') as price,
    coalesce(money(amount(exported.cost)), exported.cost) as cost,
    coalesce(cast(whole(exported.stock) as varchar), exported.stock) as stock_quantity,
    '' as supplier_id,
    coalesce(first_sales.moment, opening.moment) as updated_at,
    cast(coalesce(first_sales.moment, opening.moment) as date) as day
from exported
full join first_sales on exported.product_id = first_sales.product_id
cross join (select min(moment) as moment from lines) as opening
