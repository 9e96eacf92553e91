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
from changed
cross join
    lateral (
        select min(later.sale_date) as sale_date
        from warehouse.fact_sales as later
        where later.customer_id = changed.customer_id and later.sale_date > changed.sale_date
    ) as next
where changed.moves_others and next.sale_date is not null
