-- production: the order lines and orders of a day in the order of their file, so that they are held against it without a
-- sort: on 2.7 million lines that halves the time of the check that every row is accounted for.
drop index if exists production.transactions_partition_date_idx;
create index if not exists transactions_source_row_idx on production.transactions (partition_date, source_row);

drop index if exists production.transaction_items_partition_date_idx;
create index if not exists transaction_items_source_row_idx on production.transaction_items (partition_date, source_row);
