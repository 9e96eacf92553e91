-- Baseline: restores the foreign keys, each validated in one pass, then collects statistics.
do $$
declare
    item record;
begin
    for item in select * from public.baseline_keys where contype = 'f' loop
        execute format('alter table %s add constraint %I %s', item.table_name, item.conname, item.definition);
    end loop;
end
$$;

drop procedure public.baseline_put_back;
drop table public.baseline_keys, public.baseline_indexes;
alter table staging.customers alter column source_row drop default;
alter table staging.products alter column source_row drop default;
alter table staging.transactions alter column source_row drop default;
alter table staging.transaction_items alter column source_row drop default;
alter table staging.returns alter column source_row drop default;
alter table staging.customers alter column loaded_at drop default;
alter table staging.products alter column loaded_at drop default;
alter table staging.transactions alter column loaded_at drop default;
alter table staging.transaction_items alter column loaded_at drop default;
alter table staging.returns alter column loaded_at drop default;
drop sequence public.baseline_row;
analyze;
