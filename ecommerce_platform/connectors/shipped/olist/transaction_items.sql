-- One row per unit.
select
    items.order_id || '-' || items.order_item_id as item_id,
    items.order_id as transaction_id,
    items.product_id,
    1 as quantity,
    coalesce(money(amount(items.price)), items.price) as unit_price,
    '0.00' as discount_amount,
    coalesce(money(amount(items.price)), items.price) as line_total,
    sales.day
from items
left join sales on items.order_id = sales.order_id
where not coalesce(sales.is_cancelled, false)
