-- blanks: platform.clean and the functions of 030_parsing.sql trim more than they did. The indexes on them are built again, and
-- what is read from staging is computed again by the next run.
reindex index staging.customers_customer_id_idx;
reindex index staging.products_product_id_idx;
reindex index staging.transactions_transaction_id_idx;
reindex index staging.transactions_customer_id_idx;
reindex index staging.transaction_items_transaction_id_idx;
reindex index staging.transaction_items_product_id_idx;

delete from platform.watermarks
where source = 'production.loaded_days';
