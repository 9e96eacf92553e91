-- Customers are known by number and country only. One row whenever the country changes.
with orders as (
    select invoice, customer, max(country) as country, min(moment) as moment
    from lines
    where is_sale and customer is not null and moment is not null
    group by all
),

images as (
    select
        *,
        lag(country) over (partition by customer order by moment, invoice) as country_before,
        row_number() over (partition by customer order by moment, invoice) as number,
        min(moment) over (partition by customer) as first_moment
    from orders
),

codes (name, code) as (
    values
    ('united kingdom', 'GB'), ('france', 'FR'), ('australia', 'AU'), ('netherlands', 'NL'), ('germany', 'DE'),
    ('norway', 'NO'), ('eire', 'IE'), ('switzerland', 'CH'), ('spain', 'ES'), ('poland', 'PL'), ('portugal', 'PT'),
    ('italy', 'IT'), ('belgium', 'BE'), ('lithuania', 'LT'), ('japan', 'JP'), ('iceland', 'IS'), ('denmark', 'DK'),
    ('cyprus', 'CY'), ('sweden', 'SE'), ('austria', 'AT'), ('israel', 'IL'), ('finland', 'FI'), ('bahrain', 'BH'),
    ('greece', 'GR'), ('hong kong', 'HK'), ('singapore', 'SG'), ('lebanon', 'LB'), ('united arab emirates', 'AE'),
    ('saudi arabia', 'SA'), ('czech republic', 'CZ'), ('canada', 'CA'), ('brazil', 'BR'), ('usa', 'US'),
    ('malta', 'MT'), ('rsa', 'ZA'), ('bermuda', 'BM'), ('thailand', 'TH'), ('nigeria', 'NG'), ('korea', 'KR'),
    ('west indies', 'ZZ'), ('channel islands', 'ZZ'), ('european community', 'ZZ'), ('unspecified', 'ZZ')
)

select
    customer as customer_id,
    '' as first_name,
    '' as last_name,
    '' as email,
    '' as phone,
    '' as date_of_birth,
    '' as street_address,
    '' as city,
    '' as state,
    '' as postal_code,
    coalesce(code, country_code(country)) as country,
    cast(first_moment as date) as registered_on,
    moment as updated_at,
    cast(moment as date) as day
from images
left join codes on lower(country) = name
where number = 1 or country is distinct from country_before
