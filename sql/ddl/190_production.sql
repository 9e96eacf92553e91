-- production: what a shop may not know. A blank cost is unknown (null), and an order without a customer is a guest's.
alter table production.products alter column cost drop not null;
alter table production.product_versions alter column cost drop not null;
alter table production.transactions alter column customer_id drop not null;

-- Rows that were rejected for a blank are good now: what is read from staging is computed again by the next run.
delete from platform.watermarks
where source = 'production.loaded_days';
