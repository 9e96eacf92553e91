-- One row per item of an order, with what was refunded of it. Of an order in which no item says so, or of which everything was
-- refunded, the order's amount is taken from the largest items until it is used up. What exceeds the items is taxes and
-- shipping, and is no return of goods.
with orders as (
    select
        lines.*,
        coalesce(sales.order_status = 'refunded', false) as is_whole,
        sum(lines.refunded) over (partition by lines.order_id) as refunded_of_items,
        coalesce(
            sales.refunded,
            case when sales.order_status = 'refunded' then sum(lines.line_total) over (partition by lines.order_id) end,
            0
        ) as refunded_of_order
    from lines
    inner join sales on lines.order_id = sales.order_id
),

rests as (
    select
        *,
        greatest(line_total - refunded, 0) as kept,
        case when is_whole or refunded_of_items = 0 then greatest(refunded_of_order - refunded_of_items, 0) else 0 end as rest
    from orders
),

ranked as (
    select
        *,
        coalesce(sum(kept) over (
            partition by order_id
            order by kept desc, line_id
            rows between unbounded preceding and 1 preceding
        ), 0) as taken_before
    from rests
),

shared as (
    select
        *,
        greatest(least(kept, rest - taken_before), 0) as share
    from ranked
)

select
    order_id,
    line_id,
    refunded + coalesce(share, 0) as amount,
    case
        when coalesce(share, 0) = 0 then greatest(refunded_quantity, 1)
        when share = kept then quantity
        else greatest(refunded_quantity, floor(quantity * (refunded + share) / line_total), 1)
    end::bigint as quantity,
    refunded_quantity > 0 or refunded + coalesce(share, 0) > 0 as is_refunded,
    refunded_of_order > refunded_of_items + sum(coalesce(share, 0)) over (partition by order_id) as is_larger,
    day
from shared
