-- warehouse.fact_sales: one row per order line, at the versions valid on the sale date. A sale whose version is not known yet, or
-- that has no customer (a guest), points to the dimension's unknown member, key 0. Without a known cost, cost and profit are null.
with lines as (
    select
        items.transaction_id,
        items.item_id,
        orders.transaction_date as sale_date,
        orders.customer_id,
        items.product_id,
        orders.payment_method_id as payment_key,
        items.quantity,
        items.unit_price,
        items.discount_amount,
        items.line_total as revenue,
        -- The business day of the later of the two files that made this sale, which is not the day of the sale.
        greatest(items.partition_date, orders.partition_date) as partition_date
    from production.transaction_items as items
    inner join production.transactions as orders on items.transaction_id = orders.transaction_id
    left join scope on items.transaction_id = scope.transaction_id
    where %(is_full_refresh)s or scope.transaction_id is not null
)

select
    lines.transaction_id,
    lines.item_id,
    dates.calendar_date as sale_date,
    lines.customer_id,
    coalesce(customer.customer_key, 0) as customer_key,
    lines.product_id,
    coalesce(product.product_key, 0) as product_key,
    coalesce(payment.payment_key, 0) as payment_key,
    lines.quantity,
    lines.unit_price,
    lines.discount_amount,
    lines.revenue,
    lines.quantity * product.cost as cost,
    lines.revenue - lines.quantity * product.cost as profit,
    lines.partition_date
from lines
inner join warehouse.dim_date as dates on lines.sale_date = dates.calendar_date
left join warehouse.dim_payment as payment on lines.payment_key = payment.payment_key
left join warehouse.dim_customer as customer
    on
        lines.customer_id = customer.customer_id
        and lines.sale_date >= customer.valid_from
        and lines.sale_date < customer.valid_to
left join warehouse.dim_product as product
    on
        lines.product_id = product.product_id
        and lines.sale_date >= product.valid_from
        and lines.sale_date < product.valid_to
