-- Sales paid in a way that has gone are computed again; their orders were judged again before.
insert into platform.revisits (consumer, key)
select
    consumers.consumer,
    days.sale_date - date '2000-01-01'
from (
    select distinct facts.sale_date
    from warehouse.fact_sales as facts
    inner join changes on facts.payment_key = changes.payment_key
    where changes.operation = 'D'
) as days
cross join (
    values
    ('warehouse.agg_daily_sales'),
    ('warehouse.mart_daily_breakdown'),
    ('warehouse.mart_product_daily'),
    ('warehouse.mart_product_monthly')
) as consumers (consumer);

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.fact_sales',
    facts.transaction_id
from warehouse.fact_sales as facts
inner join changes on facts.payment_key = changes.payment_key
where changes.operation = 'D';

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.mart_customer_monthly',
    warehouse.customer_month(facts.customer_key / 65536, facts.sale_date)
from warehouse.fact_sales as facts
inner join changes on facts.payment_key = changes.payment_key
where changes.operation = 'D';

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.agg_customer_metrics',
    facts.customer_key / 65536
from warehouse.fact_sales as facts
inner join changes on facts.payment_key = changes.payment_key
where changes.operation = 'D';

delete from warehouse.fact_sales as facts
using changes
where
    changes.operation = 'D'
    and facts.payment_key = changes.payment_key;
