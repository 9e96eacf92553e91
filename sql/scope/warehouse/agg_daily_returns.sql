-- The days of return and of sale of inserted, updated, or deleted returns.
select
    return_date,
    sale_date
from warehouse_fact_returns_changes
