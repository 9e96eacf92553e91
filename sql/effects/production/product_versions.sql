-- A product whose image went without another in its place has another history.
insert into platform.revisits (consumer, key)
select distinct
    'warehouse.dim_product',
    product_id
from changes
where operation = 'D';
