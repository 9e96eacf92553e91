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
select rejected.transaction_id
from production.rejected_rows as rejected
inner join production.transactions as orders on rejected.missing_transaction_id = orders.transaction_id
union
select rejected.transaction_id
from production.rejected_rows as rejected
inner join production.products as products on rejected.missing_product_id = products.product_id
union
select key as transaction_id
from revisits
