-- production.identifiers: the key of each identifier that is not a positive integer. A known text keeps its key. A new one gets the
-- first key of its bucket that is free, which is the same in any order of loads, unless two texts share a bucket.
-- Of some identifiers, one row each is looked up; the planner would rather read all of staging.
with used as (
    select distinct
        entity,
        identifier,
        bucket
    from (
        select
            named.entity,
            named.identifier,
            named.bucket
        from production.staged_identifiers as named
        inner join production.loaded_days as loaded on named.load_id = loaded.load_id
        where %(is_full_refresh)s
        union all
        select
            found.entity,
            found.identifier,
            found.bucket
        from scope
        cross join
            lateral (
                select
                    named.entity,
                    named.identifier,
                    named.bucket
                from production.staged_identifiers as named
                inner join production.loaded_days as loaded on named.load_id = loaded.load_id
                where
                    named.entity = scope.entity
                    and named.identifier = scope.identifier
                    and named.bucket = case
                        when scope.entity in ('customer', 'product') then platform.parse_short_id(scope.identifier)
                        else platform.parse_id(scope.identifier)
                    end
                limit 1 -- noqa: AM09
            ) as found
        where not %(is_full_refresh)s
    ) as named
),

numbered as (
    select
        used.entity,
        used.identifier,
        used.bucket,
        known.key,
        row_number() over (
            partition by used.entity, used.bucket, known.key is null order by used.identifier collate "C" -- noqa: RF02
        ) as number
    from used
    left join production.identifiers as known on used.entity = known.entity and used.identifier = known.identifier
)

select
    numbered.entity,
    numbered.identifier,
    case
        when numbered.key is not null then numbered.key
        when
            numbered.number = 1
            and not exists (
                select 1
                from production.identifiers as holder
                where holder.entity = numbered.entity and holder.key = numbered.bucket
            )
            then numbered.bucket
        else (
            select numbered.bucket + slots.slot
            from generate_series(0, 15) as slots (slot)
            where
                not exists (
                    select 1
                    from production.identifiers as holder
                    where holder.entity = numbered.entity and holder.key = numbered.bucket + slots.slot
                )
            order by slots.slot
            limit 1 offset numbered.number - 1
        )
    end as key
from numbered
