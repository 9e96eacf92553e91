-- The orders that a run brings, changes or takes away, and those that point at another version now. Also those of days that
-- have no sale at all: a run that died before this table left them behind, and the segments count them already. Who was new
-- on such a day still has no version: the day is whole once it is run again.
with without_sales as (
    select days.partition_date
    from production.loaded_days as days
    where
        days.feed = 'transactions'
        and not exists (
            select 1
            from warehouse.fact_sales as facts
            where facts.partition_date = days.partition_date
        )
)

select transaction_id
from production.transactions
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select transaction_id
from production.transaction_items
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select transaction_id
from warehouse.fact_sales
where partition_date >= %(window_start)s and partition_date < %(window_end)s
union
select orders.transaction_id
from production.transactions as orders
inner join without_sales on orders.partition_date = without_sales.partition_date
union
select key as transaction_id
from revisits
