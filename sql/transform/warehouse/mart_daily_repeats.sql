-- warehouse.mart_daily_repeats: one row per day and number of days since the customer's previous order; guests are left out.
with purchases as (
    select
        customer_id,
        sale_date,
        count(*) as orders
    from (
        select
            transaction_id,
            min(customer_id) as customer_id,
            min(sale_date) as sale_date
        from warehouse.fact_sales
        where %(is_full_refresh)s and customer_id is not null
        group by transaction_id
    ) as orders
    group by customer_id, sale_date
),

-- For an incremental run: the customers of each day, and the day on which each has ordered before.
purchases_of_days as (
    select
        facts.customer_id,
        facts.sale_date,
        count(distinct facts.transaction_id) as orders
    from warehouse.fact_sales as facts
    where
        facts.sale_date = any((select array_agg(scope.sale_date) from scope)::date[])
        and facts.customer_id is not null
    group by facts.customer_id, facts.sale_date
),

-- Most customers who order again do so soon, so that a lookup reads a few of their sales and not all. Joins, not lookups
-- one by one: Citus adds up what each node knows of a customer.
recent as (
    select
        purchases_of_days.customer_id,
        purchases_of_days.sale_date,
        max(earlier.sale_date) as previous_date
    from purchases_of_days
    inner join warehouse.fact_sales as earlier
        on
            purchases_of_days.customer_id = earlier.customer_id
            and purchases_of_days.sale_date > earlier.sale_date
            and purchases_of_days.sale_date - 30 <= earlier.sale_date
    group by purchases_of_days.customer_id, purchases_of_days.sale_date
),

others as (
    select
        purchases_of_days.customer_id,
        purchases_of_days.sale_date
    from purchases_of_days
    left join recent
        on
            purchases_of_days.customer_id = recent.customer_id
            and purchases_of_days.sale_date = recent.sale_date
    where recent.customer_id is null
),

previous as (
    select
        customer_id,
        sale_date,
        previous_date
    from recent
    union all
    select
        others.customer_id,
        others.sale_date,
        max(earlier.sale_date) as previous_date
    from others
    inner join warehouse.fact_sales as earlier
        on
            others.customer_id = earlier.customer_id
            and others.sale_date > earlier.sale_date
    group by others.customer_id, others.sale_date
),

followed as (
    select
        sale_date,
        orders,
        lag(sale_date) over (partition by customer_id order by sale_date) as previous_date
    from purchases
    union all
    select
        purchases_of_days.sale_date,
        purchases_of_days.orders,
        previous.previous_date
    from purchases_of_days
    left join previous
        on
            purchases_of_days.customer_id = previous.customer_id
            and purchases_of_days.sale_date = previous.sale_date
),

repeats as (
    select
        sale_date,
        sale_date - previous_date as interval_days,
        1 as orders
    from followed
    where previous_date is not null
    union all
    select
        sale_date,
        0 as interval_days,
        orders - 1 as orders
    from followed
    where orders > 1
)

select
    sale_date,
    interval_days,
    sum(orders)::integer as orders
from repeats
group by sale_date, interval_days
