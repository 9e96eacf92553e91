-- warehouse.dim_customer: a new version whenever city, state, country, age group, or segment changes. The segment includes
-- the purchases of the same day. The first version also covers all earlier days; key 0 is the unknown member. Age groups are
-- computed for each day between the first and the last change or purchase of the customer.
with images as (
    select
        versions.customer_id,
        case
            when row_number() over later = 1 then date '2000-01-01'
            else versions.valid_from
        end as day,
        versions.valid_from as image_day,
        coalesce(lead(versions.valid_from) over later, 'infinity') as next_image_day,
        versions.date_of_birth,
        coalesce(versions.city, 'Unknown') as city,
        coalesce(versions.state, 'Unknown') as state,
        versions.country
    from production.customer_versions as versions
    left join scope on versions.customer_id = scope.customer_id
    where %(is_full_refresh)s or scope.customer_id is not null
    window later as (partition by versions.customer_id order by versions.valid_from)
),

orders_of_some as (
    -- Sorted like the order lines, so that lookups of neighboring orders hit the same pages.
    select
        transaction_id,
        customer_id,
        transaction_date as day
    from production.transactions
    where not %(is_full_refresh)s and customer_id in (select scope.customer_id from scope)
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
    where %(is_full_refresh)s and orders.customer_id is not null
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

known_days as (
    select
        days.customer_id,
        min(days.day) as first_day,
        max(days.day) as last_day
    from (
        select
            customer_id,
            image_day as day
        from images
        union all
        select
            customer_id,
            day
        from order_sums
    ) as days
    group by days.customer_id
),

birthdays as (
    select
        images.customer_id,
        birthday.day
    from images
    inner join known_days on images.customer_id = known_days.customer_id
    cross join
        lateral warehouse.age_group_changes(
            images.date_of_birth,
            greatest(images.day, known_days.first_day),
            least(known_days.last_day, images.next_image_day - 1)
        ) as birthday (day)
),

segment_days as (
    -- Orders of the same day are peers: each row has the segment after all of them.
    select
        customer_id,
        day,
        warehouse.segment(count(*) over so_far, sum(revenue) over so_far) as segment
    from order_sums
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
        null as date_of_birth,
        null as city,
        null as state,
        null as country,
        segment
    from segment_changes
    where segment <> segment_before
    union all
    select
        customer_id,
        day,
        null as date_of_birth,
        null as city,
        null as state,
        null as country,
        null as segment
    from birthdays
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
        filled.customer_id,
        filled.day,
        filled.city,
        filled.state,
        filled.country,
        warehouse.age_group(filled.date_of_birth, greatest(filled.day, known_days.first_day)) as age_group,
        filled.segment
    from filled
    inner join known_days on filled.customer_id = known_days.customer_id
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
    warehouse.version_key(changes_only.customer_id, changes_only.day) as customer_key,
    changes_only.customer_id,
    coalesce(named.identifier, changes_only.customer_id::text) as customer_code,
    changes_only.city,
    changes_only.state,
    changes_only.country,
    changes_only.age_group,
    changes_only.segment,
    changes_only.day as valid_from,
    coalesce(lead(changes_only.day) over later, 'infinity') as valid_to,
    lead(changes_only.day) over later is null as is_current
from changes_only
left join production.identifiers as named on named.entity = 'customer' and changes_only.customer_id = named.key
window later as (partition by changes_only.customer_id order by changes_only.day)
union all
select
    0 as customer_key,
    0 as customer_id,
    'Unknown' as customer_code,
    'Unknown' as city,
    'Unknown' as state,
    'ZZ' as country,
    'Unknown' as age_group,
    'New' as segment,
    date '2000-01-01' as valid_from,
    'infinity' as valid_to,
    true as is_current
where %(is_full_refresh)s
