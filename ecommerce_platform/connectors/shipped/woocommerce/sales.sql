-- One row per order. An order that failed, was cancelled, or is not paid for yet is no sale; one that was refunded is. A status
-- may be WordPress's key (wc-on-hold) or its label (On hold).
select
    order_id,
    min(moment) as moment,
    cast(min(moment) as date) as day,
    max(order_date) as order_date,
    max(currency) as currency,
    max(payment_method) as payment_method,
    -- A guest has the number 0; the e-mail address tells guests apart, but never becomes an identifier itself.
    coalesce(nullif(max(customer_id), '0'), anonymous_id(max(billing_email))) as customer_id,
    max(billing_first_name) as first_name,
    max(billing_last_name) as last_name,
    max(billing_email) as email,
    max(billing_phone) as phone,
    max(billing_address) as street,
    max(billing_city) as city,
    max(billing_state) as state,
    max(billing_postcode) as postcode,
    max(billing_country) as country,
    max(shipping_address) as shipping_address,
    max(shipping_city) as shipping_city,
    max(shipping_state) as shipping_state,
    abs(amount(max(refunded_total))) as refunded,
    regexp_replace(regexp_replace(lower(max(status)), '[ _]+', '-', 'g'), '^wc-', '') as order_status,
    coalesce(
        order_status in (
            'pending', 'pending-payment', 'on-hold', 'failed', 'cancelled', 'canceled', 'checkout-draft', 'draft', 'auto-draft',
            'trash'
        ),
        false
    ) as is_unpaid
from items
where order_id is not null
group by order_id
