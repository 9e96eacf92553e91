-- staging: is_plain with one short pattern a field. A pattern over the whole row, with the lengths as repeat counts, cost
-- 7.5 microseconds an order line and most of the time of a load; these cost 1. The lengths leave room: a longer number is
-- not plain, but may be good. The views that go with the column come back with 060_rules.sql.
alter table staging.transactions drop column is_plain cascade;

alter table staging.transactions add column is_plain boolean generated always as (
    transaction_id ~ '^[1-9][0-9]*$' and octet_length(transaction_id) <= 18
    and customer_id ~ '^[1-9][0-9]*$' and octet_length(customer_id) <= 14
    and transaction_date
    ~ '^20[0-9][0-9]-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)$'
    and transaction_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$'
    and total_amount ~ '^[0-9]+([.][0-9][0-9]?)?$' and octet_length(total_amount) <= 10
) stored;

create index transactions_transaction_id_idx on staging.transactions (platform.plain_id(is_plain, transaction_id));

alter table staging.transaction_items drop column is_plain cascade;

alter table staging.transaction_items add column is_plain boolean generated always as (
    item_id ~ '^[1-9][0-9]*$' and octet_length(item_id) <= 18
    and transaction_id ~ '^[1-9][0-9]*$' and octet_length(transaction_id) <= 18
    and product_id ~ '^[1-9][0-9]*$' and octet_length(product_id) <= 14
    and quantity ~ '^[1-9][0-9]*$' and octet_length(quantity) <= 9
    and unit_price ~ '^[0-9]+([.][0-9][0-9]?)?$' and octet_length(unit_price) <= 10
    and discount_amount ~ '^[0-9]+([.][0-9][0-9]?)?$' and octet_length(discount_amount) <= 10
    and line_total ~ '^[0-9]+([.][0-9][0-9]?)?$' and octet_length(line_total) <= 10
) stored;

create index transaction_items_transaction_id_idx on staging.transaction_items (platform.plain_id(is_plain, transaction_id));

comment on column staging.transactions.is_plain is
'Whether every typed field has its plainest form, so that a cast cannot fail; null for a malformed row.';
comment on column staging.transaction_items.is_plain is
'Whether every typed field has its plainest form, so that a cast cannot fail; null for a malformed row.';
