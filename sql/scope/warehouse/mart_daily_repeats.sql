-- The days with inserted, updated, or deleted sales, and, for each of their customers, the next day with an order: its interval
-- begins on the changed day. An unchanged sale (R) moves no other interval.
with changed as materialized (
    select distinct
        customer_id,
        sale_date,
        operation <> 'R' as moves_others
    from warehouse_fact_sales_changes
    where customer_id is not null
)

select sale_date
from changed
union
select next.sale_date
from (
    select min(later.sale_date) as sale_date
    from changed
    inner join warehouse.fact_sales as later
        on changed.customer_id = later.customer_id and changed.sale_date < later.sale_date
    where changed.moves_others
    group by changed.customer_id, changed.sale_date
) as next
