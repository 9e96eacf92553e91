-- warehouse.dim_payment: ways to pay.
select
    payment_method_id as payment_key,
    payment_method,
    warehouse.payment_group(payment_method) as payment_group
from production.payment_methods
