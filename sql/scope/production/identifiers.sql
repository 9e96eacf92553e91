-- The identifiers that a load introduces, and those that may have lost their last load. The offset makes the planner look up each
-- load by itself, instead of reading all of staging.
with used as (
    select distinct
        named.entity,
        named.identifier
    from production_loaded_days_changes as loads
    cross join lateral (
        select
            staged.entity,
            staged.identifier
        from production.staged_identifiers as staged
        where staged.partition_date = loads.partition_date and staged.load_id = loads.load_id
        offset bigint '0' -- noqa: AM09
    ) as named
),

still_used as (
    select distinct
        named.entity,
        named.identifier
    from production_loaded_days_changes as loads
    inner join production.loaded_days as loaded on loads.feed = loaded.feed and loads.partition_date = loaded.partition_date
    cross join lateral (
        select
            staged.entity,
            staged.identifier
        from production.staged_identifiers as staged
        where staged.partition_date = loaded.partition_date and staged.load_id = loaded.load_id
        offset bigint '0' -- noqa: AM09
    ) as named
)

select
    used.entity,
    used.identifier
from used
left join production.identifiers as known on used.entity = known.entity and used.identifier = known.identifier
left join still_used on used.entity = still_used.entity and used.identifier = still_used.identifier
where known.identifier is null or still_used.identifier is null
