-- An order's own columns are on the first row of its lines only. Of an order whose rows lie in two files, the later file counts.
with short as (
    select
        sales.order_id,
        sales.subtotal > sum(lines.gross) as is_short
    from sales
    inner join lines on sales.order_id = lines.order_id
    group by sales.order_id, sales.subtotal
)

select
    'transactions' as feed,
    count(*) as rows,
    'have no date; if their rows lie in two files, export all orders into one file' as reason,
    min(order_id) as example
from sales
where created_at is null and not is_unpaid
union all
select
    'transactions',
    count(*),
    'have lines that add up to less than their Subtotal; if their rows lie in two files, export all orders into one file',
    min(order_id)
from short
where is_short
