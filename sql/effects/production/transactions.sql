-- Orders that changed outside the window: their lines, their rejects, their sales and their customers follow.
create temp table touched on commit drop as
select
    changes.transaction_id,
    before.customer_id as old_customer_id,
    incoming.customer_id as new_customer_id
from changes
left join before on changes.transaction_id = before.transaction_id
left join incoming on changes.transaction_id = incoming.transaction_id
where
    changes.operation <> 'I'
    or not (incoming.partition_date >= %(window_start)s and incoming.partition_date < %(window_end)s);

insert into platform.revisits (consumer, key)
select
    consumers.consumer,
    touched.transaction_id
from touched
cross join (
    values
    ('production.transaction_items'),
    ('production.rejected_rows'),
    ('warehouse.fact_sales')
) as consumers (consumer);

insert into platform.revisits (consumer, key)
select
    'warehouse.dim_customer',
    old_customer_id
from touched
where old_customer_id is not null
union
select
    'warehouse.dim_customer',
    new_customer_id
from touched
where new_customer_id is not null;
