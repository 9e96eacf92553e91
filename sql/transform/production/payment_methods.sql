-- production.payment_methods: the payment methods of all valid order rows.
select distinct
    typed.payment_method_id,
    typed.payment_method
from production.typed_transactions as typed
left join scope on typed.payment_method_id = scope.payment_method_id
where
    typed.is_good
    and (%(is_full_refresh)s or scope.payment_method_id is not null)
