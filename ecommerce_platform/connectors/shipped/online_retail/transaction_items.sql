-- One row per line of an invoice that is not a cancellation. A price with more than two decimals is rounded up, and the
-- difference is a discount, so that the line's total is that of the file.
select
    item_id,
    invoice as transaction_id,
    stock_code as product_id,
    coalesce(cast(quantity as varchar), quantity_text) as quantity,
    coalesce(money(up_to_cents(price)), price_text) as unit_price,
    money(quantity * up_to_cents(price) - line_total) as discount_amount,
    money(line_total) as line_total,
    day
from lines
where is_sale
