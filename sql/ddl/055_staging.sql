-- staging: a load of a slice has a number, so that a slice that has not passed its checks can lie beside the one that has.
-- The views on staging come back with 060_rules.sql.
drop view if exists production.typed_customers;
drop view if exists production.typed_products;
drop view if exists production.typed_transactions;
drop view if exists production.typed_transaction_items;

create sequence platform.load_ids;

create table platform.slices (
    table_name text not null,
    slice date not null,
    load_id bigint,
    row_count bigint not null check (row_count >= 0),
    written_at timestamptz not null default now(),
    primary key (table_name, slice),
    check ((load_id is null) = (row_count = 0))
);

create unique index slices_load_id_idx on platform.slices (load_id);

create table platform.superseded_loads (
    table_name text not null,
    slice date not null,
    load_id bigint not null,
    primary key (table_name, slice, load_id)
);

comment on table platform.superseded_loads is
'Earlier loads whose rows still lie beside the latest: production reads them, or has still to take back what it read.';
comment on column platform.superseded_loads.table_name is 'The table, as schema.table.';
comment on column platform.superseded_loads.slice is 'The day of the slice.';
comment on column platform.superseded_loads.load_id is 'The load, as in the table''s rows.';

comment on table platform.slices is 'The latest load of each slice of a table that is written slice by slice, passed or not.';
comment on column platform.slices.table_name is 'The table, as schema.table.';
comment on column platform.slices.slice is 'The day of the slice.';
comment on column platform.slices.load_id is 'The load, as in the table''s rows; null for a slice without rows.';
comment on column platform.slices.row_count is 'Rows that it brought.';
comment on column platform.slices.written_at is 'When it was written (UTC).';

alter table staging.customers add column load_id bigint not null default 0;
alter table staging.products add column load_id bigint not null default 0;
alter table staging.transactions add column load_id bigint not null default 0;
alter table staging.transaction_items add column load_id bigint not null default 0;
alter table production.loaded_days add column load_id bigint not null default 0;

-- A database that holds slices already: each gets a number. What passed before and was written over is not there any more.
do $$
declare
    feed text;
begin
    foreach feed in array array['customers', 'products', 'transactions', 'transaction_items'] loop
        execute format(
            'insert into platform.slices (table_name, slice, load_id, row_count, written_at)
            select %L, partition_date, nextval(''platform.load_ids''), count(*), max(loaded_at)
            from staging.%I group by partition_date',
            'staging.' || feed, feed
        );
        execute format(
            'update staging.%I as rows
            set load_id = slices.load_id
            from platform.slices as slices
            where slices.table_name = %L and slices.slice = rows.partition_date',
            feed, 'staging.' || feed
        );
        execute format(
            'update production.loaded_days as loaded set load_id = rows.load_id
            from (select distinct partition_date, loaded_at, load_id from staging.%I) as rows
            where loaded.feed = %L and loaded.partition_date = rows.partition_date and loaded.loaded_at = rows.loaded_at',
            feed, feed
        );
    end loop;
end
$$;

delete from production.loaded_days
where load_id = 0;

-- A day with a slice of any feed was exported: of a feed without one, the file was empty.
insert into platform.slices (table_name, slice, row_count)
select
    'staging.' || feeds.feed,
    days.slice,
    0
from (select distinct slice from platform.slices) as days
cross join (values ('customers'), ('products'), ('transactions'), ('transaction_items')) as feeds (feed)
where
    not exists (
        select 1
        from platform.slices as known
        where known.table_name = 'staging.' || feeds.feed and known.slice = days.slice
    );

alter table staging.customers alter column load_id drop default;
alter table staging.products alter column load_id drop default;
alter table staging.transactions alter column load_id drop default;
alter table staging.transaction_items alter column load_id drop default;
alter table production.loaded_days alter column load_id drop default;

alter table staging.customers
drop constraint customers_pkey, add primary key (partition_date, source_row, load_id);
alter table staging.products
drop constraint products_pkey, add primary key (partition_date, source_row, load_id);
alter table staging.transactions
drop constraint transactions_pkey, add primary key (partition_date, source_row, load_id);
alter table staging.transaction_items
drop constraint transaction_items_pkey, add primary key (partition_date, source_row, load_id);
alter table production.loaded_days
drop constraint loaded_days_feed_loaded_at_key, add unique (load_id);

-- Orders and lines that wait for a customer or a product are found by it.
create index transactions_customer_id_idx on staging.transactions (
    (case when is_plain then customer_id::bigint else platform.parse_short_id(customer_id) end)
);
create index transaction_items_product_id_idx on staging.transaction_items (
    (case when is_plain then product_id::bigint else platform.parse_short_id(product_id) end)
);

comment on column staging.customers.load_id is 'The load that brought the row; no two slices share one. See platform.slices.';
comment on column staging.products.load_id is 'The load that brought the row; no two slices share one. See platform.slices.';
comment on column staging.transactions.load_id is 'The load that brought the row; no two slices share one. See platform.slices.';
comment on column staging.transaction_items.load_id is
'The load that brought the row; no two slices share one. See platform.slices.';
comment on column staging.customers.loaded_at is 'When the row was loaded.';
comment on column staging.products.loaded_at is 'When the row was loaded.';
comment on column staging.transactions.loaded_at is 'When the row was loaded.';
comment on column staging.transaction_items.loaded_at is 'When the row was loaded.';
comment on column production.loaded_days.load_id is
'Which load of the slice passed; production reads its rows until another passes.';
comment on column production.loaded_days.loaded_at is 'When that load was written.';

-- A category takes its products and their versions with it, as a product takes its lines.
alter table production.products
drop constraint products_category_id_fkey,
add foreign key (category_id) references production.product_categories (category_id) on delete cascade;
alter table production.product_versions
drop constraint product_versions_category_id_fkey,
add foreign key (category_id) references production.product_categories (category_id) on delete cascade;

analyze staging.customers, staging.products, staging.transactions, staging.transaction_items, production.loaded_days;
