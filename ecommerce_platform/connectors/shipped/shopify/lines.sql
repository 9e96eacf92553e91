-- One row per line of an order, with its share of the order's discounts: what the lines' discounts do not explain of the
-- difference between the lines and the Subtotal is spread over the lines by their amounts, to the cent.
with typed as (
    select
        orders.name as order_id,
        sales.day,
        sales.moment,
        sales.subtotal,
        sales.discount,
        coalesce(orders.lineitem_sku, short_code(orders.lineitem_name)) as product_id,
        orders.lineitem_name as product_name,
        orders.vendor,
        orders.lineitem_quantity as quantity_text,
        orders.lineitem_price as price_text,
        whole(orders.lineitem_quantity) as quantity,
        cast(amount(orders.lineitem_price) as decimal(18, 2)) as price,
        coalesce(cast(amount(orders.lineitem_discount) as decimal(18, 2)), 0) as own_discount
    from orders
    inner join sales on orders.name = sales.order_id
    where not sales.is_unpaid
),

numbered as (
    select
        *,
        cast(quantity * price as decimal(38, 2)) as gross,
        order_id || '/' || product_id || '/' || row_number() over (
            partition by order_id, product_id
            order by quantity_text, price_text, own_discount, product_name
        ) as item_id
    from typed
),

discounted as (
    select
        *,
        least(
            sum(gross) over (partition by order_id),
            case
                -- Without the price of a line, the difference says nothing.
                when subtotal is null or bool_or(gross is null) over (partition by order_id)
                    then coalesce(discount, 0) + sum(own_discount) over (partition by order_id)
                else greatest(sum(gross) over (partition by order_id) - subtotal, 0)
            end
        ) as order_discount,
        sum(own_discount) over (partition by order_id) as own_discounts
    from numbered
),

weighed as (
    select
        *,
        -- Where the lines' discounts are more than the order's, they are not to be trusted.
        case when order_discount >= own_discounts then own_discount else 0 end as base,
        case when order_discount >= own_discounts then order_discount - own_discounts else order_discount end as rest,
        case when order_discount >= own_discounts then gross - own_discount else gross end as weight
    from discounted
),

summed as (
    select
        *,
        sum(weight) over (partition by order_id order by item_id rows unbounded preceding) as weight_so_far,
        sum(weight) over (partition by order_id) as weights
    from weighed
)

select
    * exclude (subtotal, discount, order_discount, own_discounts, base, rest, weight, weight_so_far, weights, own_discount),
    cast(
        base + case
            when weights > 0
                then
                    round(cast(rest as double) * (cast(weight_so_far as double) / cast(weights as double)), 2)
                    - round(cast(rest as double) * (cast(weight_so_far - weight as double) / cast(weights as double)), 2)
            else 0
        end as decimal(38, 2)
    ) as line_discount
from summed
