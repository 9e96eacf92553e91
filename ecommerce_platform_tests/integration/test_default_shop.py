"""What the default shop is known for, asked of the warehouse after a load of fourteen months.

`unit/test_shop_insights.py` asks the exports of the whole default shop; `sales` is that shop with fewer customers.
"""

from __future__ import annotations

from decimal import Decimal

from ecommerce_platform_tests.harness import Platform


def revenue_and_cost(platform: Platform, breakdown: str) -> dict[str, tuple[Decimal, Decimal]]:
    """Return revenue and cost by the members of a dimension."""
    found = platform.rows(
        "select member, sum(revenue), sum(cost) from warehouse.mart_daily_breakdown"
        " where breakdown = %s group by member",
        breakdown,
    )
    return {member: (revenue, cost) for member, revenue, cost in found}


def share_of_top(revenues: list[Decimal], top: int) -> Decimal:
    return sum(sorted(revenues, reverse=True)[:top], Decimal(0)) / sum(revenues, Decimal(0))


def test_the_top_ten_products_bring_the_majority_of_the_revenue(sales: Platform) -> None:
    products = [revenue for (revenue,) in sales.rows("select revenue from warehouse.agg_product_performance")]
    assert share_of_top(products, 10) > 0.5
    assert share_of_top(products, 1) < 0.15
    assert len(products) > 600


def test_the_top_five_states_bring_most_of_the_revenue(sales: Platform) -> None:
    states = [revenue for revenue, _ in revenue_and_cost(sales, "state").values()]
    assert share_of_top(states, 5) > 0.5
    assert share_of_top(states, 1) < 0.4
    assert len(states) > 30


def test_electronics_has_the_highest_margin(sales: Platform) -> None:
    margins = {name: 1 - cost / revenue for name, (revenue, cost) in revenue_and_cost(sales, "category").items()}
    assert len(margins) == 9
    assert max(margins, key=margins.__getitem__) == "Electronics"


def test_vips_bring_the_larger_share_of_the_revenue(sales: Platform) -> None:
    found = sales.rows(
        "select customer.segment, sum(metrics.revenue), count(*) from warehouse.agg_customer_metrics as metrics"
        " join warehouse.dim_customer as customer using (customer_id) where customer.is_current group by 1"
    )
    spent = {segment: revenue for segment, revenue, _ in found}
    buyers = {segment: count for segment, _, count in found}
    assert spent["VIP"] > sum(spent.values(), Decimal(0)) / 2
    assert buyers["VIP"] < sum(buyers.values()) / 4


def test_a_day_of_the_weekend_brings_more_than_a_weekday(sales: Platform) -> None:
    found = sales.rows(
        "select dim_date.is_weekend, avg(sales.revenue) from warehouse.agg_daily_sales as sales"
        " join warehouse.dim_date on calendar_date = sale_date group by 1"
    )
    by_weekend = dict(found)
    assert by_weekend[True] > by_weekend[False] * Decimal("1.1")
