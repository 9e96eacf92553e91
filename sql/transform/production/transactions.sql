-- production.transactions: the latest valid export of each order whose customer is known.
select distinct on (typed.transaction_id)
    typed.transaction_id,
    typed.customer_id,
    typed.transaction_date,
    typed.transaction_time,
    typed.payment_method_id,
    typed.shipping_address,
    typed.shipping_city,
    typed.shipping_state,
    typed.total_amount,
    typed.partition_date,
    typed.source_row
from production.typed_transactions as typed
inner join production.customers as customers on typed.customer_id = customers.customer_id
inner join production.payment_methods as methods on typed.payment_method_id = methods.payment_method_id
left join scope
    on
        typed.transaction_bucket = platform.bucket(scope.transaction_id)
        and platform.is_same_key(typed.transaction_id, scope.transaction_id)
where
    typed.is_good
    and (%(is_full_refresh)s or scope.transaction_id is not null)
order by typed.transaction_id, typed.partition_date desc, typed.source_row desc
