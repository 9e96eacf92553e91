-- One row per item of an order, without taxes. The subtotal is the price before coupons; where one unit's share of it has more
-- than two decimals, the price is rounded up, and the difference is part of the discount.
with typed as (
    select
        items.*,
        sales.day as order_day,
        sales.moment as order_moment,
        whole(items.item_quantity) as quantity,
        cast(round(amount(items.item_total), 2) as decimal(18, 2)) as line_total,
        coalesce(amount(items.item_subtotal), amount(items.item_total)) as subtotal
    from items
    inner join sales on items.order_id = sales.order_id
    where not sales.is_unpaid
)

select
    order_id,
    coalesce(
        item_id,
        order_id || '/' || coalesce(item_sku, item_product_id, short_code(item_name)) || '/' || row_number() over (
            partition by order_id, coalesce(item_sku, item_product_id, short_code(item_name))
            order by item_quantity, item_total, item_name
        )
    ) as line_id,
    coalesce(item_sku, nullif(item_product_id, '0'), short_code(item_name)) as product_id,
    item_name as product_name,
    item_quantity as quantity_text,
    item_total as total_text,
    quantity,
    line_total,
    up_to_cents(greatest(subtotal, line_total) / nullif(quantity, 0)) as price,
    abs(coalesce(cast(round(amount(item_refunded), 2) as decimal(18, 2)), 0)) as refunded,
    abs(coalesce(whole(item_refunded_quantity), 0)) as refunded_quantity,
    order_day as day,
    order_moment as moment
from typed
