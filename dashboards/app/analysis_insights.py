"""What stands out in the charts of the page What next; see :mod:`dashboards.app.chart_insights`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from dashboards.app.chart_data import Answer
from dashboards.app.formats import exact, rounded, short
from dashboards.app.sentence import LEADS_BY, STANDS_OUT, Rule, Sentence, clicks, numbers

TOGETHER = Decimal(2)
"""The lift of a pair of products from which on it is worth a sentence."""


def stock(answer: Answer) -> Sentence | None:
    """How many products are out of stock or soon will be, and which of them is the first."""
    statuses = [str(status) for status in answer.column("stock_status")]
    out, soon = (statuses.count(status) for status in ("Out of stock", "Runs out within 7 days"))
    if not out + soon:
        return None
    least = "At least " if out + soon == len(statuses) else ""  # the chart shows only the first products
    parts = []
    if out:
        parts.append(f"{out} product{' is' if out == 1 else 's are'} out of stock")
    if soon:
        products = "" if out else " product" if soon == 1 else " products"
        parts.append(f"{soon}{products} run{'s' if soon == 1 else ''} out within 7 days")
    text = f"{least}{' and '.join(parts)}, first {answer.rows[0][0]}."
    return Sentence(text, clicks(answer, 0), float(out + soon))


def together(answer: Answer) -> Sentence | None:
    """The pair of products with the highest lift."""
    lifts = {row: lift for row, lift in enumerate(numbers(answer, "lift")) if lift is not None}
    if not lifts:
        return None
    row = max(lifts, key=lambda one: lifts[one])
    if lifts[row] < TOGETHER:
        return None
    orders = answer.column("orders_together")[row]
    text = (
        f"{answer.rows[row][0]} and {answer.rows[row][1]} are bought together {rounded(lifts[row], 1)} times as often"
        f" as by chance, in {short(orders, 'count')} orders."
    )
    return Sentence(text, clicks(answer, row), float(lifts[row] / TOGETHER))


def latest_anomaly(answer: Answer) -> Sentence | None:
    """The latest day on which a category sold far more or less than expected."""
    sold, expected = numbers(answer, "revenue")[0], numbers(answer, "expected_revenue")[0]
    if sold is None or not expected:
        return None
    percent = (sold - expected) / expected * 100
    if abs(percent) < STANDS_OUT:
        return None
    day, category = answer.rows[0][:2]
    text = (
        f"The latest: {category} sold {short(sold, 'money')} on {exact(day, 'day')},"
        f" {rounded(abs(percent), 1)}% {'above' if percent > 0 else 'below'} the expected {short(expected, 'money')}."
    )
    return Sentence(text, clicks(answer, 0), float(abs(percent) / STANDS_OUT))


def best_group(answer: Answer) -> Sentence | None:
    """The RFM group with the largest share of revenue, if that is far above its share of the customers."""
    revenue, customers = numbers(answer, "revenue_share"), numbers(answer, "customer_share")
    row = max(range(len(revenue)), key=lambda one: revenue[one] or 0)
    share, of_customers = revenue[row], customers[row]
    if share is None or not of_customers or share < LEADS_BY * of_customers:
        return None
    text = (
        f"{answer.rows[row][0]} are {short(of_customers, 'percent')} of the customers"
        f" and bring {short(share, 'percent')} of the revenue from customers."
    )
    return Sentence(text, clicks(answer, row), float(share / of_customers / LEADS_BY))


ANALYSIS_RULES: Mapping[str, Rule] = {
    "stock_cover": stock,
    "product_pairs": together,
    "sales_anomalies": latest_anomaly,
    "rfm_segments": best_group,
}
