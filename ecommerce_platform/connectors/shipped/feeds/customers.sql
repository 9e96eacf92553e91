-- Each image of a customer, on the day of its change.
select
    customer_id,
    first_name,
    last_name,
    email,
    phone,
    date_of_birth,
    street_address,
    city,
    state,
    postal_code,
    country,
    registered_on,
    updated_at,
    day
from customers
