select 'orders that failed, were cancelled, or are not paid for yet' as reason, count(*) as rows
from sales
where is_unpaid
union all
select
    'orders whose refund is larger than that of their items (taxes, shipping, or an amount that names no item)',
    count(distinct order_id)
from refunds
where is_larger
union all
select 'rows without an order', count(*)
from items
where order_id is null
