select 'orders that failed, were cancelled, or are not paid for yet' as reason, count(*) as rows
from sales
where is_unpaid
union all
select 'rows without an order', count(*)
from items
where order_id is null
