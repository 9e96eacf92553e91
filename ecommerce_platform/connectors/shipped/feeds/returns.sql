-- Each return, on its own day.
select
    return_id,
    transaction_id,
    item_id,
    coalesce(cast(cast(moment as date) as varchar), returned_on) as returned_on,
    quantity,
    refund_amount,
    reason,
    day
from returns
