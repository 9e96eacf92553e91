"""The default history shows the patterns of a real shop. `integration/test_default_shop.py` asks the warehouse, too."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
import pytest

from ecommerce_platform.shop.exports import feed_table
from ecommerce_platform.shop.settings import ShopSettings

pytestmark = pytest.mark.unit

SHOP = ShopSettings(defect_rate=0)
DAYS = [SHOP.first_day + dt.timedelta(days=number) for number in range(1057)]  # to 2026-11-22


class History(NamedTuple):
    """Flat arrays of orders, lines, and days; money in dollars."""

    orders: dict[str, np.ndarray]
    lines: dict[str, np.ndarray]
    revenue: np.ndarray  # by day
    counts: np.ndarray  # orders by day
    years: np.ndarray
    months: np.ndarray
    weekend: np.ndarray


def exported(days: list[dt.date]) -> History:
    orders: dict[str, list[np.ndarray]] = {
        "customer_id": [],
        "shipping_state": [],
        "payment_method": [],
        "total_amount": [],
    }
    lines: dict[str, list[np.ndarray]] = {
        name: [] for name in ("product_id", "quantity", "line_total", "discount_amount", "cost", "category")
    }
    cost = np.zeros(SHOP.products + 1)
    category = np.empty(SHOP.products + 1, dtype="U20")
    for day in days:
        images = feed_table(SHOP, "products", day)
        ids = images["product_id"].to_numpy().astype(int)
        cost[ids] = images["cost"].to_numpy().astype(float)
        category[ids] = images["category"].to_pylist()
        headers = feed_table(SHOP, "transactions", day)
        for name, values in orders.items():
            values.append(np.array(headers[name].to_pylist()))
        items = feed_table(SHOP, "transaction_items", day)
        for name in ("quantity", "line_total", "discount_amount"):
            lines[name].append(items[name].cast("float64").to_numpy())
        products = items["product_id"].cast("int64").to_numpy()
        lines["product_id"].append(products)
        lines["cost"].append(cost[products] * lines["quantity"][-1])
        lines["category"].append(category[products])
    totals = [values.astype(float) for values in orders["total_amount"]]
    flat = {name: np.concatenate(values) for name, values in orders.items()}
    flat["total_amount"] = np.concatenate(totals)
    return History(
        flat,
        {name: np.concatenate(values) for name, values in lines.items()},
        np.array([values.sum() for values in totals]),
        np.array([len(values) for values in totals]),
        np.array([day.year for day in days]),
        np.array([day.month for day in days]),
        np.array([day.weekday() >= 5 for day in days]),
    )


@pytest.fixture(scope="module")
def history() -> History:
    return exported(DAYS)


@pytest.fixture(scope="module")
def first_year() -> History:
    return exported(DAYS[:366])


@pytest.fixture(params=["first_year", "history"])
def period(request: pytest.FixtureRequest) -> History:
    """The first year and the whole history: what the shop is known for holds for both."""
    return request.getfixturevalue(request.param)


def share_of_best(groups: np.ndarray, amounts: np.ndarray, best: float) -> float:
    """Return the share of the total from the top groups: a number of groups or, if below 1, a share of them."""
    _, group = np.unique(groups, return_inverse=True)
    sums = np.sort(np.bincount(group, amounts))[::-1]
    return float(sums[: int(best if best >= 1 else best * len(sums))].sum() / sums.sum())


def test_orders_a_day_average_what_was_asked_for(history):
    assert history.counts.mean() == pytest.approx(SHOP.orders_per_day, rel=0.01)


def test_weekends_beat_weekdays(period):
    assert period.revenue[period.weekend].mean() > 1.1 * period.revenue[~period.weekend].mean()


def test_revenue_grows_ten_to_twenty_five_percent_a_year(history):
    same_days = np.array([(day.month, day.day) <= (11, 22) for day in DAYS])
    first, second, third = (history.revenue[same_days & (history.years == year)].sum() for year in (2024, 2025, 2026))
    assert 0.10 <= second / first - 1 <= 0.25
    assert 0.10 <= third / second - 1 <= 0.25


def test_november_and_december_stand_above_the_year(history):
    whole = history.years < 2026
    for month in (11, 12):
        assert history.revenue[whole & (history.months == month)].mean() > 1.15 * history.revenue[whole].mean()


def test_cyber_week_holds_the_best_day_of_each_whole_year(history):
    for year in (2024, 2025):
        best = DAYS[int(np.argmax(np.where(history.years == year, history.counts, 0)))]
        assert (best.month, best.weekday()) in {(11, 4), (12, 0), (11, 0)}


def test_electronics_has_the_best_margin_and_the_shop_a_plausible_one(period):
    lines = period.lines
    margins = {}
    for name in np.unique(lines["category"]):
        here = lines["category"] == name
        margins[str(name)] = 1 - lines["cost"][here].sum() / lines["line_total"][here].sum()
    best, second = sorted(margins.values(), reverse=True)[:2]
    assert margins["Electronics"] == best > second + 0.03
    assert 0.25 <= 1 - lines["cost"].sum() / lines["line_total"].sum() <= 0.45


def test_ten_products_bring_most_of_the_revenue_and_none_of_them_alone(period):
    products, totals = period.lines["product_id"], period.lines["line_total"]
    assert 0.5 < share_of_best(products, totals, 10) <= 0.6
    assert share_of_best(products, totals, 1) <= 0.15
    units = np.bincount(products, period.lines["quantity"])
    assert units.max() < 0.3 * period.counts.sum()


def test_the_other_products_are_a_long_tail(period):
    products, totals = period.lines["product_id"], period.lines["line_total"]
    assert len(np.unique(products)) > 0.85 * SHOP.products
    assert 0.01 <= 1 - share_of_best(products, totals, 0.5) <= 0.1


def test_vips_bring_the_larger_share_of_the_revenue(period):
    customers = period.orders["customer_id"].astype(int)
    spent = np.bincount(customers, period.orders["total_amount"])
    vip = (np.bincount(customers) >= 10) & (spent >= 10_000)
    assert spent[vip].sum() > 0.5 * spent.sum()
    assert 0.05 <= vip.sum() / (spent > 0).sum() <= 0.3


def test_the_best_eighth_of_the_customers_brings_a_large_share(history):
    assert share_of_best(history.orders["customer_id"], history.orders["total_amount"], 0.125) >= 0.45


def test_five_states_bring_most_of_the_revenue_and_all_states_buy(period):
    states, totals = period.orders["shipping_state"], period.orders["total_amount"]
    assert 0.5 < share_of_best(states, totals, 5) <= 0.6
    assert share_of_best(states, totals, 1) <= 0.3
    assert len(np.unique(states)) == 51


def test_the_average_order_is_plausible(history):
    assert 100 <= history.revenue.sum() / history.counts.sum() <= 250
    assert len(history.lines["line_total"]) / history.counts.sum() == pytest.approx(3, abs=0.2)


def test_about_a_quarter_of_the_lines_is_discounted(history):
    assert 0.24 <= (history.lines["discount_amount"] > 0).mean() <= 0.31


def test_customers_come_back_but_fewer_with_time(history):
    orders = history.orders["customer_id"].astype(int)
    day = np.repeat(np.arange(len(DAYS)), history.counts)
    arrived = {}
    for number, date in enumerate(DAYS[:180]):
        if number:
            for name in feed_table(SHOP, "customers", date).to_pylist():
                if name["registered_on"] == str(date):
                    arrived[int(name["customer_id"])] = number
    cohort = np.array(sorted(arrived))
    since = np.full(orders.max() + 1, -1)
    since[cohort] = [arrived[customer] for customer in cohort]
    age = np.where(since[orders] >= 0, day - since[orders], -1)
    retained = [
        len(np.unique(orders[(age >= months * 30) & (age < months * 30 + 30)])) / len(cohort)
        for months in (0, 1, 3, 6, 12, 24)
    ]
    assert retained == sorted(retained, reverse=True)
    assert retained[0] > 0.6
    assert 0.1 < retained[-1] < 0.35


def test_payment_preferences_differ_by_region(history):
    def share(state: str, method: str) -> float:
        return float((history.orders["payment_method"][history.orders["shipping_state"] == state] == method).mean())

    assert share("CA", "Apple Pay") > 1.5 * share("TX", "Apple Pay")
    assert share("TX", "Debit Card") > 1.5 * share("NY", "Debit Card")
