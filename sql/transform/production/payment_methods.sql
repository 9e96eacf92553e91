-- production.payment_methods: the ways to pay of all good order rows.
select distinct
    typed.payment_method_id,
    typed.payment_method
from production.typed_transactions as typed
left join scope on typed.payment_method_id = scope.payment_method_id
where
    typed.is_good
    and (%(is_full_refresh)s or scope.payment_method_id is not null)
