-- A row of production is looked up by the row of the file that it came from, not only by the day of the file: with the
-- day alone, accounting for a day compared each of its rows with all of its rows.
create index if not exists customer_versions_source_idx on production.customer_versions (partition_date, source_row);
create index if not exists product_versions_source_idx on production.product_versions (partition_date, source_row);
create index if not exists transactions_source_idx on production.transactions (partition_date, source_row);
create index if not exists transaction_items_source_idx on production.transaction_items (partition_date, source_row);
drop index if exists production.customer_versions_partition_date_idx;
drop index if exists production.product_versions_partition_date_idx;
drop index if exists production.transactions_partition_date_idx;
drop index if exists production.transaction_items_partition_date_idx;
