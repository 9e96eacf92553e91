-- Baseline of `ecommerce-platform bench`: loads the same tables with plain SQL in psql, without Dagster and without checks.
-- As for any bulk load, keys and indexes are dropped from the empty tables and recreated when a table is filled.
create table public.baseline_keys as
select
    conrelid::regclass::text as table_name,
    conname,
    contype,
    pg_get_constraintdef(oid) as definition
from pg_constraint
where
    connamespace in ('staging'::regnamespace, 'production'::regnamespace, 'warehouse'::regnamespace)
    and contype in ('p', 'u', 'x', 'f');

create table public.baseline_indexes as
select
    kept.indrelid::regclass::text as table_name,
    kept.indexrelid::regclass::text as index_name,
    pg_get_indexdef(kept.indexrelid) as definition
from pg_index as kept
inner join pg_class as tables on kept.indrelid = tables.oid
where
    tables.relnamespace in ('staging'::regnamespace, 'production'::regnamespace, 'warehouse'::regnamespace)
    and not exists (
        select 1 from pg_constraint as keys
        where keys.conindid = kept.indexrelid
    );

do $$
declare
    item record;
begin
    for item in select * from public.baseline_keys order by contype <> 'f' loop
        execute format('alter table %s drop constraint %I', item.table_name, item.conname);
    end loop;
    for item in select * from public.baseline_indexes loop
        execute format('drop index %s', item.index_name);
    end loop;
end
$$;

-- Recreates the keys and indexes of some tables; foreign keys come last, in 5_keys.sql.
create procedure public.baseline_put_back(tables text)
language plpgsql as $$
declare
    item record;
begin
    for item in
        select format('alter table %s add constraint %I %s', table_name, conname, definition) as statement
        from public.baseline_keys
        where contype <> 'f' and table_name similar to tables
        union all
        select definition from public.baseline_indexes where table_name similar to tables
    loop
        execute item.statement;
    end loop;
end
$$;

-- Each feed file sets its own day as the column default.
create sequence public.baseline_row;
alter table staging.customers alter column loaded_at set default now();
alter table staging.products alter column loaded_at set default now();
alter table staging.transactions alter column loaded_at set default now();
alter table staging.transaction_items alter column loaded_at set default now();
alter table staging.returns alter column loaded_at set default now();
alter table staging.customers alter column source_row set default nextval('public.baseline_row');
alter table staging.products alter column source_row set default nextval('public.baseline_row');
alter table staging.transactions alter column source_row set default nextval('public.baseline_row');
alter table staging.transaction_items alter column source_row set default nextval('public.baseline_row');
alter table staging.returns alter column source_row set default nextval('public.baseline_row');
