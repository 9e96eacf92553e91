"""The metrics in sql/ddl/070_metrics.sql: defined once, including division by zero."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
import sqlglot
from psycopg.rows import dict_row
from sqlglot import exp

from ecommerce_platform.settings import SQL_DIR
from ecommerce_platform_tests.harness import Platform, customer, line, order, product, returned

EXTRACTS = sorted((SQL_DIR / "transform" / "analytics").glob("*.sql"))
TREND = "analytics/daily_sales.sql"
"""The seven-day mean is not a metric."""


def extract(platform: Platform, name: str) -> list[tuple]:
    return platform.rows((SQL_DIR / "transform" / "analytics" / f"{name}.sql").read_text(encoding="utf-8"))


@pytest.fixture
def small_shop(platform: Platform) -> Platform:
    """One order, a day without orders, a free order, and a customer without purchases."""
    platform.load(
        1,
        customers=[customer(1), customer(2), customer(3)],
        products=[product(1), product(2)],
        transactions=[order(1, 1)],
        transaction_items=[line(1, 1)],
    )
    platform.load(2)
    platform.load(
        3, transactions=[order(2, 2, on=3, total="0.00")], transaction_items=[line(2, 1, product_id=2, price="0.00")]
    )
    return platform


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("average_order_value(100, 3)", "33.33"),
        ("average_order_value(0, 0)", None),
        ("profit_margin(200, 150)", "25.00"),
        ("profit_margin(0, 5)", None),
        ("profit_margin(10, 12)", "-20.00"),
        ("gross_revenue(90.00, 10.00)", "100.00"),
        ("net_revenue(90.00, 100.00)", "-10.00"),
        ("return_rate(1, 3)", "33.33"),
        ("return_rate(3, 2)", "150.00"),
        ("return_rate(1, 0)", None),
        ("share(1, 3)", "33.33"),
        ("share(0, 0)", None),
        ("purchase_frequency(6, 2, 365.25)", "3.0000"),
        ("purchase_frequency(6, 0, 365.25)", None),
        ("purchase_frequency(6, 2, 0)", None),
        ("purchase_frequency(6, 2, null)", None),
        ("purchase_frequency(15, 2, 500)", "5.4788"),  # exactly 5.47875
        ("customer_lifetime_value(10, null, 1, 1)", None),
        ("customer_lifetime_value(10, 0, 1, 1)", None),
        ("customer_lifetime_value(60.00, 2, 365.25, 0.5)", "15.00"),
        # Exactly 14.245, though 42 / 365.25 is no finite decimal.
        ("customer_lifetime_value(56.98, 1, 168, warehouse.customer_lifespan('2024-01-01', '2024-02-12'))", "14.25"),
    ],
)
def test_a_metric_without_a_denominator_is_null(platform: Platform, metric: str, value: str | None) -> None:
    assert platform.rows(f"select warehouse.{metric}") == [(None if value is None else Decimal(value),)]


def test_a_customer_with_one_order_has_a_lifespan_of_a_month(small_shop: Platform) -> None:
    assert small_shop.rows("select lifespan_years from warehouse.agg_customer_metrics") == [(Decimal("0.0833"),)] * 2
    # 2 orders of 2 buyers in 3 days; the customer without purchases is in no denominator.
    assert extract(small_shop, "customer_lifetime_value") == [
        ("New", 2, 2, Decimal("10.00"), Decimal("5.00"), Decimal("121.7500"), Decimal("0.0833"), Decimal("50.73"))
    ]
    (segment,) = extract(small_shop, "customer_segments")
    assert segment[:4] == ("New", 3, 2, 2)


def test_an_empty_day_has_no_row_and_counts_in_the_mean_of_its_week(small_shop: Platform) -> None:
    days = [(row[0].day, row[6], row[8], row[9]) for row in extract(small_shop, "daily_sales")]
    assert days == [
        (1, Decimal("10.00"), Decimal("10.00"), Decimal("10.00")),
        (3, Decimal("0.00"), Decimal("0.00"), Decimal("3.33")),
    ]


def test_sales_without_revenue_have_no_margin(small_shop: Platform) -> None:
    margins = small_shop.rows(
        "select product_id, profit, profit_margin from warehouse.agg_product_performance order by product_id"
    )
    assert margins == [(1, Decimal("4.00"), Decimal("40.00")), (2, Decimal("-6.00"), None)]


def test_an_extract_of_an_empty_shop_is_empty(platform: Platform) -> None:
    assert {path.stem: extract(platform, path.stem) for path in EXTRACTS} == {path.stem: [] for path in EXTRACTS}


def test_a_shop_that_only_gave_gifts_has_no_margin_and_no_share_of_revenue(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer()],
        products=[product()],
        transactions=[order(1, total="0.00")],
        transaction_items=[line(1, 1, price="0.00")],
        returns=[returned(1, 1, refund_amount="0.00")],
    )
    ratios = {}
    with psycopg.connect(platform.url, row_factory=dict_row) as connection:
        for path in EXTRACTS:
            rows = connection.execute(path.read_bytes()).fetchall()
            assert rows or path.stem in ("product_pairs", "sales_anomalies")
            for name in ("profit_margin", "revenue_share"):
                ratios |= {(path.stem, name, number): row[name] for number, row in enumerate(rows) if name in row}
    assert len(ratios) >= 10
    assert set(ratios.values()) == {None}


def test_a_ratio_is_computed_in_the_metrics_file_only() -> None:
    dividing = {
        path.relative_to(SQL_DIR / "transform").as_posix()
        for path in (SQL_DIR / "transform").rglob("*.sql")
        if sqlglot.parse_one(path.read_text(encoding="utf-8"), dialect="postgres").find(exp.Div) is not None
    }
    # Formulas of one analysis each, which no other table, chart, or measure shows.
    analyses = {f"analytics/{name}.sql" for name in ("product_pairs", "sales_anomalies", "stock_cover")}
    assert dividing == {TREND} | analyses
