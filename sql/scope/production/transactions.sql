-- The orders that a run brings, changes or takes away, and those whose customer has arrived.
select platform.plain_id(is_plain, transaction_id) as transaction_id
from staging.transactions
where
    partition_date >= %(window_start)s and partition_date < %(window_end)s
    and platform.plain_id(is_plain, transaction_id) is not null
union
select transaction_id
from production.transactions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select rejected.transaction_id
from production.rejected_rows as rejected
inner join production.customers as customers on rejected.missing_customer_id = customers.customer_id
union
select key as transaction_id
from revisits
