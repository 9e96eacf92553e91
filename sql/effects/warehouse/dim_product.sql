-- Sales follow the history of their product. Those on a version that has gone move to the one in force, in this transaction;
-- those from the first changed day on, and the days that they fall on, are computed again.
update warehouse.fact_sales as facts
set product_key = versions.product_key
from changes
inner join before on changes.product_key = before.product_key
inner join incoming as versions on before.product_id = versions.product_id
where
    changes.operation = 'D'
    and facts.product_key = changes.product_key
    and facts.sale_date >= versions.valid_from
    and facts.sale_date < versions.valid_to;

create temp table touched on commit drop as
with changed_from as (
    select
        coalesce(incoming.product_id, before.product_id) as product_id,
        min(coalesce(incoming.valid_from, before.valid_from)) as first_day
    from changes
    left join before on changes.product_key = before.product_key
    left join incoming on changes.product_key = incoming.product_key
    where
        changes.operation <> 'U'
        or (before.product_name, before.category, before.sub_category, before.brand, before.price, before.cost)
        is distinct from (incoming.product_name, incoming.category, incoming.sub_category, incoming.brand, incoming.price, incoming.cost)
    group by coalesce(incoming.product_id, before.product_id)
),

versions as (
    select
        product_id,
        product_key
    from incoming
    union
    select
        product_id,
        product_key
    from before
),

concerned as materialized (
    -- One table of all that sales are looked up by: PostgreSQL takes the days from the index only then.
    select
        versions.product_key,
        changed_from.first_day
    from changed_from
    inner join versions on changed_from.product_id = versions.product_id
)

select
    facts.transaction_id,
    facts.sale_date,
    facts.customer_key / 65536 as customer_id
from concerned
inner join warehouse.fact_sales as facts
    on concerned.product_key = facts.product_key and facts.sale_date >= concerned.first_day;

insert into platform.revisits (consumer, key)
select distinct
    'warehouse.fact_sales',
    transaction_id
from touched;

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

delete from warehouse.fact_sales as facts
using changes
where
    changes.operation = 'D'
    and facts.product_key = changes.product_key;
