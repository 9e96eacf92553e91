-- production.payment_methods: the ways to pay of all good order rows.
select distinct
    payment_method_id,
    payment_method
from production.typed_transactions
where
    is_good
    and (%(everything)s or payment_method_id in (select scope.payment_method_id from scope))
