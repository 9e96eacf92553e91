-- Customers as their orders show them: one row whenever the address of an order differs from the one before. The customers
-- export adds names and the current address where an order has none. A customer without an order is left out, because
-- neither file says since when there is one.
with orders_of_customer as (
    select
        customer_id,
        order_id,
        moment,
        email,
        coalesce(billing_name, shipping_name) as full_name,
        coalesce(phone, billing_phone, shipping_phone) as phone,
        coalesce(billing_street, shipping_street) as street,
        coalesce(billing_city, shipping_city) as city,
        coalesce(billing_province, shipping_province) as province,
        coalesce(billing_zip, shipping_zip) as zip,
        coalesce(billing_country, shipping_country) as country
    from sales
    where customer_id is not null and not is_unpaid and moment is not null
),

known as (
    select
        ltrim(customer_id, '''') as customer_id,
        max(first_name) as first_name,
        max(last_name) as last_name,
        max(phone) as phone,
        max(street) as street,
        max(city) as city,
        max(province) as province,
        max(zip) as zip,
        max(country) as country
    from customers
    group by all
),

images as (
    select
        *,
        coalesce(country, '') || '|' || coalesce(province, '') || '|' || coalesce(city, '') || '|' || coalesce(street, '')
            as place,
        lag(place) over (partition by customer_id order by moment, order_id) as place_before,
        row_number() over (partition by customer_id order by moment, order_id) as number,
        min(moment) over (partition by customer_id) as first_moment
    from orders_of_customer
)

select
    images.customer_id,
    coalesce(known.first_name, split_part(full_name, ' ', 1)) as first_name,
    coalesce(known.last_name, substr(full_name, length(split_part(full_name, ' ', 1)) + 2)) as last_name,
    email,
    ltrim(coalesce(images.phone, known.phone), '''') as phone,
    '' as date_of_birth,
    coalesce(images.street, known.street) as street_address,
    coalesce(images.city, known.city) as city,
    coalesce(state_code(coalesce(images.province, known.province)), '') as state,
    ltrim(coalesce(images.zip, known.zip), '''') as postal_code,
    country_code(coalesce(images.country, known.country)) as country,
    cast(first_moment as date) as registered_on,
    moment as updated_at,
    cast(moment as date) as day
from images
left join known on images.customer_id = known.customer_id
where number = 1 or place is distinct from place_before
