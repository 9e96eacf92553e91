-- staging: the feed of returns, which a shop may leave out. Its views stand in 060_rules.sql.
create table staging.returns (
    return_id text,
    transaction_id text,
    item_id text,
    returned_on text,
    quantity text,
    refund_amount text,
    reason text,
    extra_columns jsonb,
    malformed text,
    partition_date date not null,
    source_file text not null,
    source_row integer not null check (source_row > 0),
    loaded_at timestamptz not null,
    load_id bigint not null,
    primary key (partition_date, source_row, load_id)
);

-- Returns that wait for their order line are found by its order.
create index returns_transaction_id_idx on staging.returns (platform.parse_id(transaction_id));
create index returns_item_id_idx on staging.returns (platform.parse_id(item_id)) where platform.parse_id(item_id) < 0;
create index returns_return_id_idx on staging.returns (platform.parse_id(return_id)) where platform.parse_id(return_id) < 0;

alter table production.loaded_days
drop constraint loaded_days_feed_check,
add check (feed in ('customers', 'products', 'transactions', 'transaction_items', 'returns'));

alter table production.rejected_rows
drop constraint rejected_rows_feed_check,
add check (feed in ('customers', 'products', 'transactions', 'transaction_items', 'returns'));

-- A day that was loaded before there was the feed had no returns, and stays loaded.
insert into platform.slices (table_name, slice, row_count)
select distinct
    'staging.returns',
    slice,
    0
from platform.slices
where table_name like 'staging.%';
