select
    'transactions' as feed,
    count(*) as rows,
    'have the unknown status ''' || order_status || ''' and count as sales: if they are none, leave it out in a copy of the connector'
        as reason,
    min(order_id) as example
from sales
where not is_unpaid and order_status not in ('completed', 'processing', 'refunded', 'partially-refunded')
group by order_status
order by order_status
