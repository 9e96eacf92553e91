-- warehouse.dim_product: a new version whenever name, category, sub-category, brand, price, or cost changes. The first
-- version also covers all earlier days; key 0 is the unknown member. The current version has the stock of the latest image.
with images as (
    select
        versions.product_id,
        case
            when row_number() over (partition by versions.product_id order by versions.valid_from) = 1
                then date '2000-01-01'
            else versions.valid_from
        end as day,
        versions.product_name,
        categories.category,
        categories.sub_category,
        coalesce(versions.brand, 'Unknown') as brand,
        versions.price,
        versions.cost,
        first_value(versions.stock_quantity) over latest_first as stock_quantity,
        first_value(versions.valid_from) over latest_first as stock_date
    from production.product_versions as versions
    inner join production.product_categories as categories on versions.category_id = categories.category_id
    left join scope on versions.product_id = scope.product_id
    where %(is_full_refresh)s or scope.product_id is not null
    window latest_first as (partition by versions.product_id order by versions.valid_from desc)
),

compared as (
    select
        *,
        jsonb_build_array(product_name, category, sub_category, brand, price, cost) as tracked,
        lag(jsonb_build_array(product_name, category, sub_category, brand, price, cost)) over (partition by product_id order by day)
            as tracked_before
    from images
),

changes_only as (
    select *
    from compared
    where tracked is distinct from tracked_before
)

select
    warehouse.version_key(changes_only.product_id, changes_only.day) as product_key,
    changes_only.product_id,
    coalesce(named.identifier, changes_only.product_id::text) as product_code,
    changes_only.product_name,
    changes_only.category,
    changes_only.sub_category,
    changes_only.brand,
    changes_only.price,
    changes_only.cost,
    warehouse.price_range(changes_only.price) as price_range,
    changes_only.day as valid_from,
    coalesce(lead(changes_only.day) over later, 'infinity') as valid_to,
    lead(changes_only.day) over later is null as is_current,
    case when lead(changes_only.day) over later is null then changes_only.stock_quantity end as stock_quantity,
    case when lead(changes_only.day) over later is null then changes_only.stock_date end as stock_date
from changes_only
left join production.identifiers as named on named.entity = 'product' and changes_only.product_id = named.key
window later as (partition by changes_only.product_id order by changes_only.day)
union all
select
    0 as product_key,
    0 as product_id,
    'Unknown' as product_code,
    'Unknown' as product_name,
    'Unknown' as category,
    '' as sub_category,
    'Unknown' as brand,
    0 as price,
    null as cost,
    warehouse.price_range(0) as price_range,
    date '2000-01-01' as valid_from,
    'infinity' as valid_to,
    true as is_current,
    null as stock_quantity,
    null as stock_date
where %(is_full_refresh)s
