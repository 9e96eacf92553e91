-- Products are derived from the orders: the most frequent name and price, from the first sale on.
select
    product_id,
    mode(product_name order by product_name) as product_name,
    'Unknown' as category,
    '' as sub_category,
    '' as brand,
    coalesce(money(mode(price order by price)), '0.00') as price,
    '' as cost,
    '' as stock_quantity,
    '' as supplier_id,
    min(moment) as updated_at,
    cast(min(moment) as date) as day
from lines
where moment is not null
group by product_id
