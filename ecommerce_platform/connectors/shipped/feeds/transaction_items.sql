-- Each order line, on the day of its order.
with days as (
    select transaction_id, min(day) as day
    from transactions
    group by all
)

select
    transaction_items.item_id,
    transaction_items.transaction_id,
    transaction_items.product_id,
    transaction_items.quantity,
    transaction_items.unit_price,
    transaction_items.discount_amount,
    transaction_items.line_total,
    days.day
from transaction_items
left join days on transaction_items.transaction_id = days.transaction_id
