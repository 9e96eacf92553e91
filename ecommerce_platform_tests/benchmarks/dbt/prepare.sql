-- Run by psql after sql/baseline/1_prepare.sql: leaves the files' tables, the functions, and what keys and indexes the tables have.
-- dbt makes the rest. It makes neither foreign keys nor exclusion constraints.
delete from public.baseline_keys where contype in ('f', 'x');

insert into public.baseline_keys
select
    conrelid::regclass::text,
    conname,
    contype,
    pg_get_constraintdef(oid)
from pg_constraint
where connamespace = 'analytics'::regnamespace and contype in ('p', 'u');

-- The synthetic shop's identifiers are numbers, so that production.identifiers stays empty, as in the baseline.
do $$
declare
    item record;
begin
    for item in
        select format('drop %s if exists %I.%I cascade', case relkind when 'v' then 'view' else 'table' end, nspname, relname) as statement
        from pg_class
        inner join pg_namespace on relnamespace = pg_namespace.oid
        where
            nspname in ('production', 'warehouse', 'analytics')
            and relkind in ('r', 'v')
            and relname <> 'identifiers'
    loop
        execute item.statement;
    end loop;
end
$$;
