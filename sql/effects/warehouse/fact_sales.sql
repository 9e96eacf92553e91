-- Days and customers whose sales changed outside the window.
create temp table touched on commit drop as
select
    before.sale_date,
    before.customer_key / 65536 as customer_id
from changes
inner join before on changes.transaction_id = before.transaction_id and changes.item_id = before.item_id
union
select
    incoming.sale_date,
    incoming.customer_key / 65536 as customer_id
from changes
inner join incoming on changes.transaction_id = incoming.transaction_id and changes.item_id = incoming.item_id
where not (incoming.partition_date >= %(window_start)s and incoming.partition_date < %(window_end)s);

insert into platform.revisits (consumer, key)
select
    consumers.consumer,
    days.sale_date - date '2000-01-01'
from (select distinct sale_date from touched) as days
cross join (
    values
    ('warehouse.agg_daily_sales'),
    ('warehouse.mart_daily_breakdown'),
    ('warehouse.mart_product_daily'),
    ('warehouse.mart_product_monthly')
) as consumers (consumer);

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.mart_customer_monthly',
    warehouse.customer_month(customer_id, sale_date)
from touched;

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.agg_customer_metrics',
    customer_id
from touched;
