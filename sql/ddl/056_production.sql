-- production: identifiers that are not positive integers, and the key of each. The views on staging read them; they come back with
-- 060_rules.sql.
drop view if exists production.typed_customers, production.parsed_customers;
drop view if exists production.typed_products, production.parsed_products;
drop view if exists production.typed_transactions, production.parsed_transactions;
drop view if exists production.typed_transaction_items, production.parsed_transaction_items;

create table production.identifiers (
    entity text not null check (entity in ('customer', 'product', 'transaction', 'item')),
    identifier text not null check (length(identifier) between 1 and 200),
    key bigint not null check (key < 0),
    primary key (entity, identifier),
    unique (entity, key)
);

create index identifiers_displaced_idx on production.identifiers (entity, identifier) where key & 15 <> 0;
