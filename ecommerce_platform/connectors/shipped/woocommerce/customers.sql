-- Customers as their orders show them: one row whenever the billing address of an order differs from the one before.
with images as (
    select
        *,
        coalesce(country, '') || '|' || coalesce(state, '') || '|' || coalesce(city, '') || '|' || coalesce(street, '') as place,
        lag(place) over (partition by customer_id order by moment, order_id) as place_before,
        row_number() over (partition by customer_id order by moment, order_id) as number,
        min(moment) over (partition by customer_id) as first_moment
    from sales
    where customer_id is not null and not is_unpaid and moment is not null
)

select
    customer_id,
    first_name,
    last_name,
    email,
    phone,
    '' as date_of_birth,
    street as street_address,
    city,
    coalesce(state_code(state), '') as state,
    postcode as postal_code,
    country_code(country) as country,
    cast(first_moment as date) as registered_on,
    moment as updated_at,
    day
from images
where number = 1 or place is distinct from place_before
