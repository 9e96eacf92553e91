-- warehouse.mart_daily_breakdown: sales of each day by one dimension at a time, as of the day of the sale.
with sums as (
    select
        facts.sale_date,
        facts.transaction_id,
        products.category,
        payments.payment_method,
        customers.segment,
        customers.country || '-' || customers.state as state,
        warehouse.discount_band(facts.discount_amount, facts.quantity * facts.unit_price) as discount_band,
        count(*) as lines,
        sum(facts.quantity) as units,
        sum(facts.discount_amount) as discount,
        sum(facts.revenue) as revenue,
        sum(facts.cost) as cost
    from warehouse.fact_sales as facts
    inner join warehouse.dim_customer as customers on facts.customer_key = customers.customer_key
    inner join warehouse.dim_product as products on facts.product_key = products.product_key
    inner join warehouse.dim_payment as payments on facts.payment_key = payments.payment_key
    where %(everything)s or facts.sale_date in (select scope.sale_date from scope)
    group by
        facts.sale_date,
        facts.transaction_id,
        products.category,
        payments.payment_method,
        customers.segment,
        customers.country || '-' || customers.state,
        warehouse.discount_band(facts.discount_amount, facts.quantity * facts.unit_price)
),

members as (
    select
        sums.sale_date,
        sums.transaction_id,
        member.breakdown,
        member.member,
        sum(sums.lines) as lines,
        sum(sums.units) as units,
        sum(sums.discount) as discount,
        sum(sums.revenue) as revenue,
        sum(sums.cost) as cost
    from sums
    cross join
        lateral (
            values
            ('category', sums.category),
            ('payment_method', sums.payment_method),
            ('segment', sums.segment),
            ('state', sums.state),
            ('discount_band', sums.discount_band)
        ) as member (breakdown, member)
    group by sums.sale_date, sums.transaction_id, member.breakdown, member.member
)

select
    sale_date,
    breakdown,
    member,
    count(*)::integer as orders,
    sum(lines)::integer as lines,
    sum(units)::bigint as units,
    sum(discount) as discount,
    sum(revenue) as revenue,
    sum(cost) as cost,
    sum(revenue) - sum(cost) as profit
from members
group by sale_date, breakdown, member
