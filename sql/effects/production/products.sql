-- Order lines of products that have gone went with them (on delete cascade): they are judged again, as orphans.
insert into platform.revisits (consumer, key)
select
    consumers.consumer,
    lines.transaction_id
from (
    select platform.plain_id(is_plain, transaction_id) as transaction_id
    from staging.transaction_items
    where
        platform.parse_short_id(
            product_id) in (
            select changes.product_id from changes
            where changes.operation = 'D'
        )
        and exists (
            select 1 from changes
            where changes.operation = 'D'
        )
) as lines
cross join (
    values
    ('production.transaction_items'),
    ('production.rejected_rows'),
    ('warehouse.fact_sales')
) as consumers (consumer)
where lines.transaction_id is not null;

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.dim_customer',
    orders.customer_id
from changes
inner join production.transaction_items as lines on changes.product_id = lines.product_id
inner join production.transactions as orders on lines.transaction_id = orders.transaction_id
where changes.operation = 'D';

insert into platform.revisits (consumer, key)
select
    'warehouse.dim_product',
    product_id
from changes
where operation = 'D';

-- Lines that waited for a product enter.
insert into platform.revisits (consumer, key)
select distinct
    'production.transaction_items',
    rejected.transaction_id
from changes
inner join production.rejected_rows as rejected on changes.product_id = rejected.missing_product_id
where changes.operation = 'I';
