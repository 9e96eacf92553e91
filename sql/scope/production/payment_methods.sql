-- The ways to pay that a run may bring, and those that only the days of this run had used.
select payment_method_id
from production.typed_transactions
where
    is_good
    and partition_date >= %(window_start)s and partition_date < %(window_end)s
    and payment_method_id not in (select known.payment_method_id from production.payment_methods as known)
union
select known.payment_method_id
from production.payment_methods as known
where
    not exists (
        select 1
        from production.transactions as orders
        where
            orders.payment_method_id = known.payment_method_id
            and not (orders.partition_date >= %(window_start)s and orders.partition_date < %(window_end)s)
    )
    and not exists (
        select 1
        from production.typed_transactions as typed
        where
            typed.is_good
            and typed.payment_method_id = known.payment_method_id
            and typed.partition_date >= %(window_start)s and typed.partition_date < %(window_end)s
    )
