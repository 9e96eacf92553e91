-- staging: the index of items that 180_production.sql makes, on the stored bucket of 057_staging.sql. An upgrade has lost the index already.
drop index if exists staging.transaction_items_item_id_idx;
create index transaction_items_item_id_idx on staging.transaction_items (item_bucket) where item_bucket < 0;
