-- One row per line of an order.
select
    item_id,
    order_id as transaction_id,
    product_id,
    coalesce(cast(quantity as varchar), quantity_text) as quantity,
    coalesce(money(price), price_text) as unit_price,
    money(line_discount) as discount_amount,
    money(gross - line_discount) as line_total,
    day
from lines
