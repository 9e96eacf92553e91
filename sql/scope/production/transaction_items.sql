-- The orders whose lines or header a run brings, changes or takes away, and those whose parents have arrived.
select platform.plain_id(is_plain, transaction_id) as transaction_id
from staging.transaction_items
where
    partition_date >= %(window_start)s and partition_date < %(window_end)s
    and platform.plain_id(is_plain, transaction_id) is not null
union
select platform.plain_id(is_plain, transaction_id) as transaction_id
from staging.transactions
where
    partition_date >= %(window_start)s and partition_date < %(window_end)s
    and platform.plain_id(is_plain, transaction_id) is not null
union
select transaction_id
from production.transaction_items
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
-- Orders whose base may have been on a day of this run and has gone from its file: exported after it, without lines.
select orders.transaction_id
from production.transactions as orders
where
    orders.partition_date >= %(window_end)s
    and not exists (
        select 1
        from production.transaction_items as lines
        where
            lines.transaction_id = orders.transaction_id
            and lines.partition_date = orders.partition_date
    )
union
select key as transaction_id
from revisits
