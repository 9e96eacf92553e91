-- One row per item that was refunded, on the day of its order: the export does not say when.
select
    'R-' || line_id as return_id,
    order_id as transaction_id,
    line_id as item_id,
    day as returned_on,
    quantity,
    money(amount) as refund_amount,
    'Refunded' as reason,
    day
from refunds
where is_refunded
