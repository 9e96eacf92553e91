"""The cost of a normal day depends only on that day: the same day after 100, 500, and 1,000 days of history.

Run by ``make bench``. The shops differ in opening date and size, so that the measured days have the same number of
orders in all of them.
"""

from __future__ import annotations

import datetime as dt
import statistics
from pathlib import Path

from ecommerce_platform.cli.bench import Workplace
from ecommerce_platform.shop import orders
from ecommerce_platform.shop.settings import ShopSettings

HISTORIES = (100, 500, 1_000)
ORDERS = 300
FIRST_MEASURED = dt.date(2026, 10, 5)
MEASURED_DAYS = 5


def shop_that_opened(first_day: dt.date) -> dict[str, str]:
    """Return settings for a shop with ``ORDERS`` orders on the first measured day."""
    trial = ShopSettings(first_day=first_day, orders_per_day=10_000)
    per_day = round(10_000 * ORDERS / orders.count(trial, FIRST_MEASURED))
    return {"ECOMMERCE_FIRST_DAY": first_day.isoformat(), "ECOMMERCE_ORDERS_PER_DAY": str(per_day)}


def test_a_day_costs_the_same_after_100_500_and_1000_days(tmp_path: Path) -> None:
    """Prints medians of five days: total process time, and time spent in writes and checks."""
    print("\n  days   process s   writes s   checks s")
    for number in HISTORIES:
        first_day = FIRST_MEASURED - dt.timedelta(days=number)
        folder = tmp_path / str(number)
        folder.mkdir()
        workplace = Workplace(folder, shop_that_opened(first_day))
        try:
            workplace.child("prepare")
            workplace.load(first_day, FIRST_MEASURED - dt.timedelta(days=1))
            runs = []
            for later in range(MEASURED_DAYS):
                day = FIRST_MEASURED + dt.timedelta(days=later)
                runs.append(workplace.load(day, day))
        finally:
            workplace.close()
        whole = statistics.median(run.seconds for run in runs)
        writes = statistics.median(run.written_s for run in runs)
        checks = statistics.median(run.checks_s for run in runs)
        print(f"{number:6,} {whole:11.2f} {writes:10.2f} {checks:10.2f}")
