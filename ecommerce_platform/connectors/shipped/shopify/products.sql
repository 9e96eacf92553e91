-- Products of the latest export that has them, one per variant with an SKU, as they are now; and those that orders name, but no export has.
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
        -- Only the first row of a product says these. It may lie in a later file than the variant.
        coalesce(title, max(title) over (partition by handle, file), max(title) over (partition by handle)) as title,
        coalesce(vendor, max(vendor) over (partition by handle, file), max(vendor) over (partition by handle)) as vendor,
        coalesce(category, max(category) over (partition by handle, file), max(category) over (partition by handle)) as category,
        coalesce(type, max(type) over (partition by handle, file), max(type) over (partition by handle)) as type,
        option_value,
        price,
        cost,
        stock
    from products
),

exported as (
    select
        sku as product_id,
        title || case when lower(option_value) <> 'default title' then ' - ' || option_value else '' end as named,
        title,
        vendor,
        category,
        type,
        price,
        cost,
        stock
    from variants
    where sku is not null
    -- An SKU may be there twice: one row of it counts, as a whole.
    qualify row_number() over (
        partition by sku
        order by price is null, title, option_value, price, cost, stock, vendor, type, category
    ) = 1
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
