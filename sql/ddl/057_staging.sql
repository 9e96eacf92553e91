-- staging: the bucket of each identifier is stored, so that a text is hashed once and not whenever its row is read, and is_plain
-- says nothing about identifiers, so that it holds in every shop. The views on staging come back with 060_rules.sql.
alter table staging.transactions drop column is_plain cascade;
alter table staging.transaction_items drop column is_plain cascade;

drop view if exists production.staged_identifiers;
drop view if exists production.typed_customers, production.parsed_customers;
drop view if exists production.typed_products, production.parsed_products;
drop view if exists production.typed_transactions, production.parsed_transactions;
drop view if exists production.typed_transaction_items, production.parsed_transaction_items;
drop view if exists production.typed_returns, production.parsed_returns;

drop index if exists staging.customers_customer_id_idx, staging.products_product_id_idx;
drop index if exists staging.transactions_transaction_id_idx, staging.transactions_customer_id_idx;
drop index if exists staging.transaction_items_transaction_id_idx, staging.transaction_items_product_id_idx;
drop index if exists staging.returns_transaction_id_idx, staging.returns_item_id_idx, staging.returns_return_id_idx;

alter table staging.customers
add column customer_bucket bigint generated always as (platform.parse_short_id(customer_id)) stored;

alter table staging.products
add column product_bucket bigint generated always as (platform.parse_short_id(product_id)) stored;

alter table staging.transactions
add column transaction_bucket bigint generated always as (platform.parse_id(transaction_id)) stored,
add column customer_bucket bigint generated always as (platform.parse_short_id(customer_id)) stored,
add column is_plain boolean generated always as (
    transaction_date
    ~ '^20[0-9][0-9]-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)$'
    and transaction_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$'
    and total_amount ~ '^[0-9]+([.][0-9][0-9]?)?$' and octet_length(total_amount) <= 10
) stored;

alter table staging.transaction_items
add column item_bucket bigint generated always as (platform.parse_id(item_id)) stored,
add column transaction_bucket bigint generated always as (platform.parse_id(transaction_id)) stored,
add column product_bucket bigint generated always as (platform.parse_short_id(product_id)) stored,
add column is_plain boolean generated always as (
    quantity ~ '^[1-9][0-9]*$' and octet_length(quantity) <= 9
    and unit_price ~ '^[0-9]+([.][0-9][0-9]?)?$' and octet_length(unit_price) <= 10
    and discount_amount ~ '^[0-9]+([.][0-9][0-9]?)?$' and octet_length(discount_amount) <= 10
    and line_total ~ '^[0-9]+([.][0-9][0-9]?)?$' and octet_length(line_total) <= 10
) stored;

alter table staging.returns
add column return_bucket bigint generated always as (platform.parse_id(return_id)) stored,
add column transaction_bucket bigint generated always as (platform.parse_id(transaction_id)) stored,
add column item_bucket bigint generated always as (platform.parse_id(item_id)) stored;

-- Rows are found by their parents. Of items and returns, only texts are looked up, in production.identifiers.
create index customers_customer_id_idx on staging.customers (customer_bucket);
create index products_product_id_idx on staging.products (product_bucket);
create index transactions_transaction_id_idx on staging.transactions (transaction_bucket);
create index transactions_customer_id_idx on staging.transactions (customer_bucket);
create index transaction_items_transaction_id_idx on staging.transaction_items (transaction_bucket);
create index transaction_items_product_id_idx on staging.transaction_items (product_bucket);
create index returns_transaction_id_idx on staging.returns (transaction_bucket);
create index returns_item_id_idx on staging.returns (item_bucket) where item_bucket < 0;
create index returns_return_id_idx on staging.returns (return_bucket) where return_bucket < 0;

analyze staging.customers, staging.products, staging.transactions, staging.transaction_items, staging.returns;
