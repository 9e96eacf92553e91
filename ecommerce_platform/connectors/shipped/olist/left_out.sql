select 'orders that are canceled or unavailable' as reason, count(*) as rows
from sales
where is_cancelled
union all
select 'orders without items', count(*)
from sales
where not is_cancelled and order_id not in (select order_id from items where order_id is not null)
