-- Orders whose lines changed outside the window: their sales and their customers follow.
create temp table touched on commit drop as
select distinct changes.transaction_id
from changes
left join incoming on changes.transaction_id = incoming.transaction_id and changes.item_id = incoming.item_id
where
    changes.operation <> 'I'
    or not (incoming.partition_date >= %(window_start)s and incoming.partition_date < %(window_end)s);

insert into platform.revisits (consumer, key)
select
    'warehouse.fact_sales',
    transaction_id
from touched;

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.dim_customer',
    orders.customer_id
from touched
inner join production.transactions as orders on touched.transaction_id = orders.transaction_id;
