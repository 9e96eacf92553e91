-- A customer whose image went, or gave way to one of a day outside the window, has another history.
insert into platform.revisits (consumer, key)
select distinct
    'warehouse.dim_customer',
    changes.customer_id
from changes
left join incoming on changes.customer_id = incoming.customer_id and changes.valid_from = incoming.valid_from
where
    changes.operation = 'D'
    or not (incoming.partition_date >= %(window_start)s and incoming.partition_date < %(window_end)s);
