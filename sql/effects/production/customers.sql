-- Orders of customers that have gone went with them (on delete cascade): they are judged again, as orphans.
insert into platform.revisits (consumer, key)
select
    consumers.consumer,
    orders.transaction_id
from (
    select platform.plain_id(is_plain, transaction_id) as transaction_id
    from staging.transactions
    where
        platform.parse_short_id(
            customer_id) in (
            select changes.customer_id from changes
            where changes.operation = 'D'
        )
        and exists (
            select 1 from changes
            where changes.operation = 'D'
        )
) as orders
cross join (
    values
    ('production.transactions'),
    ('production.transaction_items'),
    ('production.rejected_rows'),
    ('warehouse.fact_sales')
) as consumers (consumer)
where orders.transaction_id is not null;

insert into platform.revisits (consumer, key)
select
    'warehouse.dim_customer',
    customer_id
from changes
where operation = 'D';

-- An order that waited for a customer may be another base of its lines, also where it is not the latest.
insert into platform.revisits (consumer, key)
select distinct
    'production.transaction_items',
    rejected.transaction_id
from changes
inner join production.rejected_rows as rejected on changes.customer_id = rejected.missing_customer_id
where changes.operation = 'I';
