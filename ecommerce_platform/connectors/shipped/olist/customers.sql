-- A person has a number of its own beside the one of each order. One row whenever the place differs from the one before.
with images as (
    select
        *,
        coalesce(state, '') || '|' || coalesce(city, '') || '|' || coalesce(zip, '') as place,
        lag(place) over (partition by customer_id order by moment, order_id) as place_before,
        row_number() over (partition by customer_id order by moment, order_id) as number,
        min(moment) over (partition by customer_id) as first_moment
    from sales
    where customer_id is not null and not is_cancelled and moment is not null
)

select
    customer_id,
    '' as first_name,
    '' as last_name,
    '' as email,
    '' as phone,
    '' as date_of_birth,
    '' as street_address,
    city,
    coalesce(state_code(state), '') as state,
    zip as postal_code,
    'BR' as country,
    cast(first_moment as date) as registered_on,
    moment as updated_at,
    day
from images
where number = 1 or place is distinct from place_before
