select 'orders that were voided, or cancelled before they were paid' as reason, count(*) as rows
from sales
where is_unpaid
union all
select 'customers without an order', count(distinct customer_id)
from customers
where ltrim(customer_id, '''') not in (select customer_id from sales where customer_id is not null)
union all
select 'rows without an order name', count(*)
from orders
where name is null
union all
select 'variants without an SKU, known by their orders only', count(*)
from products
where sku is null and price is not null
