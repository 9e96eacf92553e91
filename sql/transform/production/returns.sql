-- production.returns: the latest valid export of each return whose order line is known.
select distinct on (typed.transaction_id, typed.return_id)
    typed.transaction_id,
    typed.return_id,
    typed.item_id,
    typed.returned_on,
    typed.quantity,
    typed.refund_amount,
    typed.reason,
    typed.partition_date,
    typed.source_row
from production.typed_returns as typed
inner join production.transaction_items as lines
    on typed.transaction_id = lines.transaction_id and typed.item_id = lines.item_id
left join scope
    on
        typed.transaction_bucket = platform.bucket(scope.transaction_id)
        and platform.is_same_key(typed.transaction_id, scope.transaction_id)
where
    typed.is_good
    and (%(is_full_refresh)s or scope.transaction_id is not null)
order by typed.transaction_id, typed.return_id, typed.partition_date desc, typed.source_row desc
