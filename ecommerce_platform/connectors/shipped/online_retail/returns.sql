-- One row per line of a cancellation, with the line that it cancels: the customer's latest earlier purchase of that product
-- with at least that quantity. The file does not name it; where there is none, or where cancellations exceed its
-- quantity, the return keeps its own invoice, which no order has, and the platform keeps it among the rejected rows.
with cancelled as (
    select *, -quantity as returned
    from lines
    where is_cancellation
),

candidates as (
    select
        cancelled.item_id,
        sale.item_id as sale_item_id,
        sale.invoice as sale_invoice,
        sale.quantity as sold,
        cancelled.returned,
        cancelled.moment,
        row_number() over (partition by cancelled.item_id order by sale.moment desc, sale.item_id) as choice
    from cancelled
    inner join lines as sale
        on cancelled.customer = sale.customer
        and cancelled.stock_code = sale.stock_code
        and sale.is_sale
        and sale.moment <= cancelled.moment
        and sale.quantity >= cancelled.returned
),

linked as (
    select
        *,
        sum(returned) over (partition by sale_item_id order by moment, item_id rows unbounded preceding) <= sold as fits
    from candidates
    where choice = 1
)

select
    cancelled.item_id as return_id,
    coalesce(sale_invoice, cancelled.invoice) as transaction_id,
    coalesce(sale_item_id, cancelled.item_id) as item_id,
    coalesce(cast(cancelled.day as varchar), cancelled.invoice_date) as returned_on,
    coalesce(cast(cancelled.returned as varchar), cancelled.quantity_text) as quantity,
    coalesce(money(-cancelled.line_total), cancelled.price_text) as refund_amount,
    'Cancelled' as reason,
    cancelled.day
from cancelled
left join linked on cancelled.item_id = linked.item_id and linked.fits
