-- Orders paid in a way that has gone go with it (on delete cascade): they are judged again.
create temp table touched on commit drop as
select
    orders.transaction_id,
    orders.customer_id
from production.transactions as orders
inner join changes on orders.payment_method_id = changes.payment_method_id
where changes.operation = 'D';

insert into platform.revisits (consumer, key)
select
    consumers.consumer,
    touched.transaction_id
from touched
cross join (
    values
    ('production.transactions'),
    ('production.transaction_items'),
    ('production.rejected_rows'),
    ('warehouse.fact_sales')
) as consumers (consumer);

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.dim_customer',
    customer_id
from touched;
