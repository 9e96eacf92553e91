-- production: the key of an identifier that is not a positive integer is negative, and 0 stays the unknown member.
select platform.log_changes('production.identifiers', array['entity', 'key']);

alter table production.customers drop constraint customers_customer_id_check, add check (customer_id <> 0);
alter table production.products drop constraint products_product_id_check, add check (product_id <> 0);
alter table production.transactions drop constraint transactions_transaction_id_check, add check (transaction_id <> 0);
alter table production.transaction_items drop constraint transaction_items_item_id_check, add check (item_id <> 0);

-- The functions of 030_parsing.sql give keys to more texts than they did. The indexes on them are built again, and what is read
-- from staging is computed again by the next run.
reindex index staging.customers_customer_id_idx;
reindex index staging.products_product_id_idx;
reindex index staging.transactions_transaction_id_idx;
reindex index staging.transactions_customer_id_idx;
reindex index staging.transaction_items_transaction_id_idx;
reindex index staging.transaction_items_product_id_idx;

create index transaction_items_item_id_idx on staging.transaction_items (platform.parse_id(item_id)) where is_plain is not true;

delete from platform.watermarks
where source = 'production.loaded_days';
