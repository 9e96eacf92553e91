-- warehouse.dim_customer: a new version whenever city, state, country, age group or segment changes. A segment counts
-- the purchases of its day, and the first version also covers all earlier days.
with images as (
    select
        customer_id,
        case
            when row_number() over (partition by customer_id order by valid_from) = 1 then date '2000-01-01'
            else valid_from
        end as day,
        valid_from as image_day,
        date_of_birth,
        coalesce(city, 'Unknown') as city,
        coalesce(state, 'Unknown') as state,
        country
    from production.customer_versions
    where %(everything)s or customer_id in (select scope.customer_id from scope)
),

orders_of_some as materialized (
    -- In the order of the lines, so that those of neighbours are found together.
    select
        transaction_id,
        customer_id,
        transaction_date as day
    from production.transactions
    where not %(everything)s and customer_id in (select scope.customer_id from scope)
    order by transaction_id
),

order_sums as (
    select
        orders.transaction_id,
        orders.customer_id,
        orders.transaction_date as day,
        sum(lines.line_total) as revenue
    from production.transactions as orders
    inner join production.transaction_items as lines on orders.transaction_id = lines.transaction_id
    where %(everything)s
    group by orders.transaction_id, orders.customer_id, orders.transaction_date
    union all
    select
        orders.transaction_id,
        orders.customer_id,
        orders.day,
        sums.revenue
    from orders_of_some as orders
    cross join
        lateral (
            select sum(lines.line_total) as revenue
            from production.transaction_items as lines
            where lines.transaction_id = orders.transaction_id
            group by lines.transaction_id
        ) as sums
),

purchase_days as (
    select
        customer_id,
        day,
        count(*) as orders,
        sum(revenue) as revenue
    from order_sums
    group by customer_id, day
),

segment_days as (
    select
        customer_id,
        day,
        warehouse.segment(
            sum(orders) over so_far,
            sum(revenue) over so_far
        ) as segment
    from purchase_days
    window so_far as (partition by customer_id order by day)
),

segment_changes as (
    select
        customer_id,
        day,
        segment,
        lag(segment, 1, 'New') over (partition by customer_id order by day) as segment_before
    from segment_days
),

events as (
    select
        customer_id,
        day,
        image_day,
        date_of_birth,
        city,
        state,
        country,
        null as segment
    from images
    union all
    select
        customer_id,
        day,
        null as image_day,
        null as date_of_birth,
        null as city,
        null as state,
        null as country,
        segment
    from segment_changes
    where segment <> segment_before
),

numbered as (
    select
        *,
        count(country) over upto as image_number,
        count(segment) over upto as segment_number
    from events
    window upto as (partition by customer_id order by day range between unbounded preceding and current row)
),

filled as (
    select distinct
        customer_id,
        day,
        max(image_day) over image as image_day,
        max(date_of_birth) over image as date_of_birth,
        max(city) over image as city,
        max(state) over image as state,
        max(country) over image as country,
        coalesce(max(segment) over (partition by customer_id, segment_number), 'New') as segment
    from numbered
    window image as (partition by customer_id, image_number)
),

described as (
    select
        customer_id,
        day,
        city,
        state,
        country,
        warehouse.age_group(date_of_birth, greatest(day, image_day)) as age_group,
        segment
    from filled
),

compared as (
    select
        *,
        jsonb_build_array(city, state, country, age_group, segment) as tracked,
        lag(jsonb_build_array(city, state, country, age_group, segment)) over (partition by customer_id order by day)
            as tracked_before
    from described
),

changes_only as (
    select *
    from compared
    where tracked is distinct from tracked_before
)

select
    warehouse.version_key(customer_id, day) as customer_key,
    customer_id,
    city,
    state,
    country,
    age_group,
    segment,
    day as valid_from,
    coalesce(lead(day) over later, 'infinity') as valid_to,
    lead(day) over later is null as is_current
from changes_only
window later as (partition by customer_id order by day)
