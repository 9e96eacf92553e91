-- The identifiers that a load introduces, and those that may have lost their last load.
with used as (
    select distinct
        named.entity,
        named.identifier
    from production_loaded_days_changes as loads
    inner join production.staged_identifiers as named
        on loads.partition_date = named.partition_date and loads.load_id = named.load_id
),

still_used as (
    select distinct
        named.entity,
        named.identifier
    from production_loaded_days_changes as loads
    inner join production.loaded_days as loaded on loads.feed = loaded.feed and loads.partition_date = loaded.partition_date
    inner join production.staged_identifiers as named
        on loaded.partition_date = named.partition_date and loaded.load_id = named.load_id
)

select
    used.entity,
    used.identifier
from used
left join production.identifiers as known on used.entity = known.entity and used.identifier = known.identifier
left join still_used on used.entity = still_used.entity and used.identifier = still_used.identifier
where known.identifier is null or still_used.identifier is null
