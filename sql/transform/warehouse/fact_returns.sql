-- warehouse.fact_returns: one row per return, at the versions of the sale that it takes back.
select
    returns.transaction_id,
    returns.return_id,
    returns.item_id,
    dates.calendar_date as return_date,
    sales.sale_date,
    sales.customer_id,
    sales.customer_key,
    sales.product_id,
    sales.product_key,
    sales.payment_key,
    returns.quantity,
    returns.refund_amount,
    coalesce(returns.reason, 'Unknown') as reason,
    returns.partition_date
from production.returns as returns
inner join warehouse.fact_sales as sales
    on returns.transaction_id = sales.transaction_id and returns.item_id = sales.item_id
inner join warehouse.dim_date as dates on returns.returned_on = dates.calendar_date
left join scope on returns.transaction_id = scope.transaction_id
where %(is_full_refresh)s or scope.transaction_id is not null
