-- A customer whose image went without another in its place has another history.
insert into platform.revisits (consumer, key)
select distinct
    'warehouse.dim_customer',
    customer_id
from changes
where operation = 'D';
