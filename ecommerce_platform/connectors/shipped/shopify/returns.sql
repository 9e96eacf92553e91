-- The export knows how much of an order was refunded, not which lines, nor when. The amount is taken from the order's largest
-- lines until it is used up, on the day of the cancellation or, without one, of the order. What exceeds the lines (shipping
-- and taxes) is no return of goods.
with ranked as (
    select
        lines.*,
        lines.gross - lines.line_discount as line_total,
        sales.refunded,
        coalesce(cast(sales.cancelled as date), sales.day) as returned_on,
        coalesce(sum(lines.gross - lines.line_discount) over (
            partition by lines.order_id
            order by lines.gross - lines.line_discount desc, lines.item_id
            rows between unbounded preceding and 1 preceding
        ), 0) as refunded_before
    from lines
    inner join sales on lines.order_id = sales.order_id
    where sales.refunded > 0
)

select
    item_id as return_id,
    order_id as transaction_id,
    item_id,
    returned_on,
    case
        when line_total <= refunded - refunded_before then quantity
        else greatest(1, floor(quantity * (refunded - refunded_before) / line_total))
    end::bigint as quantity,
    money(least(line_total, refunded - refunded_before)) as refund_amount,
    'Refunded' as reason,
    returned_on as day
from ranked
where line_total > 0 and refunded_before < refunded
