-- The orders with a return in an added or removed load, and those with returns whose lines were added or removed, or whose
-- identifier came or went.
select returns.transaction_id
from production_loaded_days_changes as loads
inner join production.parsed_returns as returns
    on loads.partition_date = returns.partition_date and loads.load_id = returns.load_id
where loads.feed = 'returns' and returns.transaction_id is not null
union
select returns.transaction_id
from production_transaction_items_changes as lines
inner join production.parsed_returns as returns
    on
        platform.bucket(lines.transaction_id) = returns.transaction_bucket
        and platform.is_same_key(lines.transaction_id, returns.transaction_id)
where lines.operation in ('I', 'D')
union
select key as transaction_id
from production_identifiers_changes
where entity = 'transaction'
