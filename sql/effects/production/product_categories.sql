-- Products of a category that has gone go with it, and their lines (on delete cascade): they are judged again.
create temp table touched on commit drop as
select products.product_id
from production.products as products
inner join changes on products.category_id = changes.category_id
where changes.operation = 'D'
union
select versions.product_id
from production.product_versions as versions
inner join changes on versions.category_id = changes.category_id
where changes.operation = 'D';

insert into platform.revisits (consumer, key)
select
    consumers.consumer,
    touched.product_id
from touched
cross join (
    values
    ('production.products'),
    ('production.product_versions'),
    ('warehouse.dim_product')
) as consumers (consumer);

insert into platform.revisits (consumer, key)
select
    consumers.consumer,
    lines.transaction_id
from (
    select platform.plain_id(is_plain, transaction_id) as transaction_id
    from staging.transaction_items
    where
        platform.parse_short_id(product_id) in (select touched.product_id from touched)
        and exists (select 1 from touched)
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
from touched
inner join production.transaction_items as lines on touched.product_id = lines.product_id
inner join production.transactions as orders on lines.transaction_id = orders.transaction_id;

delete from production.product_versions as versions
using changes
where
    changes.operation = 'D'
    and versions.category_id = changes.category_id;

delete from production.products as products
using changes
where
    changes.operation = 'D'
    and products.category_id = changes.category_id;
