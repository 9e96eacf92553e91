-- One row per item of an order.
select
    line_id as item_id,
    order_id as transaction_id,
    product_id,
    coalesce(cast(quantity as varchar), quantity_text) as quantity,
    coalesce(money(price), total_text) as unit_price,
    money(quantity * price - line_total) as discount_amount,
    money(line_total) as line_total,
    day
from lines
