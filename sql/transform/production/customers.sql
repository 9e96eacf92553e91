-- production.customers: the latest image of each customer.
select distinct on (typed.customer_id)
    typed.customer_id,
    typed.valid_from,
    typed.first_name,
    typed.last_name,
    typed.email,
    typed.phone,
    typed.date_of_birth,
    typed.street_address,
    typed.city,
    typed.state,
    typed.postal_code,
    typed.country,
    typed.registered_on,
    typed.updated_at,
    typed.partition_date,
    typed.source_row
from production.typed_customers as typed
left join scope
    on typed.customer_bucket = platform.bucket(scope.customer_id) and platform.is_same_key(typed.customer_id, scope.customer_id)
where
    typed.is_good
    and (%(is_full_refresh)s or scope.customer_id is not null)
order by
    typed.customer_id,
    typed.valid_from desc,
    typed.updated_at desc,
    typed.partition_date desc,
    typed.source_row desc
