-- Baseline: keys and indexes back onto the tables, each built or checked in one pass; then the statistics.
do $$
declare
    item record;
begin
    for item in select * from public.baseline_keys order by contype = 'f' loop
        execute format('alter table %s add constraint %I %s', item.table_name, item.conname, item.definition);
    end loop;
    for item in select * from public.baseline_indexes loop
        execute item.definition;
    end loop;
end
$$;

drop table public.baseline_keys, public.baseline_indexes;
drop sequence public.baseline_row cascade;
analyze;
