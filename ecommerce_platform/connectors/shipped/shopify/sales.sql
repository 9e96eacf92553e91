-- One row per order. Its own columns are filled on the first row of its lines only, so each is taken from the row that has it.
-- An order that was never paid, because it was voided or cancelled before, is no sale.
with orders_of_file as (
    select
        name as order_id,
        min(moment) as moment,
        max(created_at) as created_at,
        max(currency) as currency,
        lower(max(email)) as email,
        lower(max(financial_status)) as status,
        max(payment_method) as payment_method,
        amount(max(subtotal)) as subtotal,
        amount(max(discount_amount)) as discount,
        coalesce(amount(max(refunded_amount)), 0) as refunded,
        local_moment(max(cancelled_at)) as cancelled,
        max(phone) as phone,
        max(billing_name) as billing_name,
        max(billing_street) as billing_street,
        max(billing_city) as billing_city,
        max(billing_zip) as billing_zip,
        max(billing_province) as billing_province,
        max(billing_country) as billing_country,
        max(billing_phone) as billing_phone,
        max(shipping_name) as shipping_name,
        max(shipping_street) as shipping_street,
        max(shipping_city) as shipping_city,
        max(shipping_zip) as shipping_zip,
        max(shipping_province) as shipping_province,
        max(shipping_country) as shipping_country,
        max(shipping_phone) as shipping_phone
    from orders
    where name is not null
    group by name
),

known as (
    select lower(email) as email, min(customer_id) as customer_id
    from customers
    where email is not null
    group by all
)

select
    orders_of_file.*,
    cast(moment as date) as day,
    -- The address itself never becomes an identifier: those leave production. Shopify writes an id as '123.
    coalesce(ltrim(known.customer_id, ''''), anonymous_id(orders_of_file.email)) as customer_id,
    coalesce(status = 'voided' or (cancelled is not null and status in ('pending', 'authorized', 'expired')), false)
        as is_unpaid
from orders_of_file
left join known on orders_of_file.email = known.email
