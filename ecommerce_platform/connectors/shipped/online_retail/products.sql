-- Products are derived from the sales: the most frequent description and price, from the first sale on.
select
    stock_code as product_id,
    coalesce(mode(description order by description) filter (description is not null), stock_code) as product_name,
    case when bool_or(is_charge) then 'Charges' else 'Unknown' end as category,
    '' as sub_category,
    '' as brand,
    money(up_to_cents(coalesce(mode(price order by price) filter (price > 0), 0))) as price,
    '' as cost,
    '' as stock_quantity,
    '' as supplier_id,
    min(moment) as updated_at,
    cast(min(moment) as date) as day
from lines
where is_sale and moment is not null
group by stock_code
