-- warehouse.dim_payment: one row per payment method; key 0 is the unknown member.
select
    payment_method_id as payment_key,
    payment_method,
    warehouse.payment_group(payment_method) as payment_group
from production.payment_methods
union all
select
    0 as payment_key,
    'Unknown' as payment_method,
    'Other' as payment_group
