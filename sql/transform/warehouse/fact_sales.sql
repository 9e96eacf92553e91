-- warehouse.fact_sales: one row an order line, at the versions in force on the day of the sale.
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
        greatest(items.partition_date, orders.partition_date) as partition_date
    from production.transaction_items as items
    inner join production.transactions as orders on items.transaction_id = orders.transaction_id
    where %(everything)s or items.transaction_id in (select scope.transaction_id from scope)
)

select
    lines.transaction_id,
    lines.item_id,
    dates.calendar_date as sale_date,
    customer.customer_key,
    product.product_key,
    payment.payment_key,
    lines.quantity,
    lines.unit_price,
    lines.discount_amount,
    lines.revenue,
    lines.quantity * product.cost as cost,
    lines.revenue - lines.quantity * product.cost as profit,
    lines.partition_date
from lines
inner join warehouse.dim_date as dates on lines.sale_date = dates.calendar_date
inner join warehouse.dim_payment as payment on lines.payment_key = payment.payment_key
inner join warehouse.dim_customer as customer
    on
        lines.customer_id = customer.customer_id
        and lines.sale_date >= customer.valid_from
        and lines.sale_date < customer.valid_to
inner join warehouse.dim_product as product
    on
        lines.product_id = product.product_id
        and lines.sale_date >= product.valid_from
        and lines.sale_date < product.valid_to
