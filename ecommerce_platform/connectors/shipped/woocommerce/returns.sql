-- One row per item that was refunded, on the day of its order: the export does not say when.
select
    'R-' || line_id as return_id,
    order_id as transaction_id,
    line_id as item_id,
    day as returned_on,
    case when refunded_quantity > 0 then refunded_quantity else 1 end as quantity,
    money(refunded) as refund_amount,
    'Refunded' as reason,
    day
from lines
where refunded > 0 or refunded_quantity > 0
