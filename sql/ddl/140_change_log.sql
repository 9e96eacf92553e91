-- change_log: what each table's writes have changed, for the tables that read it. See docs/architecture.md.
create schema change_log;

create sequence platform.change_positions;

create table platform.watermarks (
    reader text not null,
    source text not null,
    position bigint not null,
    primary key (reader, source)
);

create index watermarks_source_idx on platform.watermarks (source);

comment on schema change_log is 'One log a table: the changes that not all of its readers have read.';
comment on table platform.watermarks is
'Up to which entry of a source''s log each table has taken in its changes. A table that has no row takes every row for changed.';
comment on column platform.watermarks.reader is 'The table that reads, as schema.table.';
comment on column platform.watermarks.source is 'The table whose log it reads, as schema.table.';
comment on column platform.watermarks.position is 'The last entry that it has read.';

-- Gives a table a log with some of its columns, in their own types. Called again with other columns, it begins a new log:
-- the readers take every row for changed once.
create function platform.log_changes(table_name text, columns text[]) returns void
language plpgsql as $$
declare
    log text := replace(table_name, '.', '_');
    described text;
begin
    select coalesce(string_agg(format(', %I %s', attname, format_type(atttypid, atttypmod)), '' order by number), '')
    into described
    from unnest(columns) with ordinality as wanted (name, number)
    inner join pg_attribute on attrelid = table_name::regclass and attname = name;
    execute format('drop table if exists change_log.%I', log);
    execute format(
        'create table change_log.%I (
            position bigint primary key default nextval(''platform.change_positions''),
            operation text not null check (operation in (''I'', ''U'', ''D'', ''*''))%s
        )',
        log, described
    );
    execute format('comment on table change_log.%I is %L', log, 'What writes of ' || table_name || ' have changed.');
    delete from platform.watermarks where source = table_name;
end
$$;

comment on function platform.log_changes(text, text[]) is
'Gives a table (schema.table) a change log that keeps some of its columns.';

select
    platform.log_changes('production.loaded_days', array['feed', 'partition_date', 'load_id']),
    platform.log_changes('production.customers', array['customer_id', 'partition_date']),
    platform.log_changes('production.customer_versions', array['customer_id', 'partition_date']),
    platform.log_changes('production.product_categories', array['category_id']),
    platform.log_changes('production.products', array['product_id', 'partition_date']),
    platform.log_changes('production.product_versions', array['product_id', 'partition_date']),
    platform.log_changes('production.payment_methods', array['payment_method_id']),
    platform.log_changes(
        'production.transactions', array['transaction_id', 'customer_id', 'transaction_date', 'partition_date']
    ),
    platform.log_changes('production.transaction_items', array['transaction_id', 'partition_date']),
    platform.log_changes('warehouse.dim_date', array['calendar_date']),
    platform.log_changes('warehouse.dim_customer', array['customer_id', 'valid_from', 'valid_to']),
    platform.log_changes('warehouse.dim_product', array['product_id', 'valid_from', 'valid_to']),
    platform.log_changes('warehouse.dim_payment', array['payment_key']),
    platform.log_changes('warehouse.fact_sales', array['transaction_id', 'customer_id', 'sale_date', 'partition_date']),
    platform.log_changes('warehouse.agg_daily_sales', array[]::text[]),
    platform.log_changes('warehouse.mart_daily_breakdown', array[]::text[]),
    platform.log_changes('warehouse.mart_product_daily', array['sale_date']),
    platform.log_changes('warehouse.mart_product_monthly', array[]::text[]),
    platform.log_changes('warehouse.agg_product_performance', array[]::text[]),
    platform.log_changes('warehouse.mart_customer_monthly', array['customer_id', 'month_start']),
    platform.log_changes('warehouse.agg_customer_metrics', array[]::text[]);

drop table platform.revisits;
