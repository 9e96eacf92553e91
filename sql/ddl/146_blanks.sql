-- blanks: platform.clean and the functions of 030_parsing.sql trim more than they did. Indexes on them are built again, and
-- every table is computed again by the next run.
reindex table staging.transactions;
reindex table staging.transaction_items;

delete from platform.watermarks
where source = 'production.loaded_days';
