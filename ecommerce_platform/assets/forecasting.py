"""The shop's revenue of the next 30 days, by the optional package statsforecast, imported only to make a forecast.

The models are those of Hyndman and Athanasopoulos, "Forecasting: Principles and Practice" (3rd edition): chapters 5
(seasonal naive), 8 (exponential smoothing) and 12.1 (several seasons).
"""

from __future__ import annotations

import datetime as dt
import importlib.util
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pandas as pd

DAYS_AHEAD = 30
LEVELS = (80, 95)
WEEK, YEAR = 7, 365

LEAST_DAYS = 4 * WEEK
"""Below, there is no forecast: every weekday is known from three days or fewer."""

ENOUGH_FOR_A_MODEL = 26 * WEEK
"""From here on, level, trend and weekdays are estimated. Below, the last week is repeated, which was as near, and whose
intervals held what they promise."""

TRIALS = 2
"""Forecasts of the last days, made from the days before them: their errors give the intervals of MSTL."""

ENOUGH_FOR_A_YEAR = 2 * YEAR + TRIALS * DAYS_AHEAD
"""From here on, the season of the year is known from two years, also in the trials."""

HISTORY = """
    select sale_date, revenue
    from warehouse.agg_daily_sales
    where sale_date > (select max(sale_date) - 1095 from warehouse.agg_daily_sales)
    order by sale_date
"""
"""The revenue of each day of the last three years, so that the work does not grow with the history."""

NAIVE = "Seasonal naive (week)"
PACKAGE = "statsforecast"
COLUMNS = (
    "forecast_date",
    "forecast",
    "lower_80",
    "upper_80",
    "lower_95",
    "upper_95",
    "method",
    "first_date",
    "as_of_date",
)


def is_installed() -> bool:
    """Whether forecasts can be made here."""
    return importlib.util.find_spec(PACKAGE) is not None


def forecast(days: Sequence[tuple[dt.date, Decimal]]) -> tuple[pd.DataFrame, str]:
    """The expected revenue of the days after the last one, with the intervals that hold 80 % and 95 % of outcomes.

    Args:
        days: days and their revenue, in order. A day that is left out had no sales.

    Returns:
        The rows of ``analytics.sales_forecast``, and one sentence: how they were made, or why there are none. The same
        days give the same rows.
    """
    if not is_installed():
        return _frame([]), f"No forecast: the package {PACKAGE} is not installed."
    length = (days[-1][0] - days[0][0]).days + 1 if days else 0
    if length < LEAST_DAYS:
        return _frame([]), f"No forecast: {length} days of sales, and it takes {LEAST_DAYS}."
    first, last = days[0][0], days[-1][0]
    revenue = [0.0] * length
    for day, amount in days:
        revenue[(day - first).days] = float(amount)
    method, found = _predicted(revenue)
    rows = []
    for ahead in range(DAYS_AHEAD):
        mean = _money(found["mean"][ahead])
        lows = [min(mean, _money(found[f"lo-{level}"][ahead])) for level in LEVELS]
        highs = [max(mean, _money(found[f"hi-{level}"][ahead])) for level in LEVELS]
        bounds = (lows[0], highs[0], min(lows), max(highs))
        rows.append((last + dt.timedelta(days=ahead + 1), mean, *bounds, method, first, last))
    return _frame(rows), f"{method}, from the {length:,} days from {first} to {last}."


def _predicted(revenue: list[float]) -> tuple[str, dict[str, Any]]:
    """The name of the method that so many days ask for, and its result: mean, lo-80, hi-80, lo-95 and hi-95."""
    import numpy as np
    from statsforecast.models import MSTL, AutoETS, SeasonalNaive  # ty: ignore[import-not-found]

    values = np.array(revenue, dtype=np.float64)
    if len(revenue) >= ENOUGH_FOR_A_YEAR:
        method, found = "MSTL (week and year)", _tried(MSTL(season_length=[WEEK, YEAR]), values)
    elif len(revenue) >= ENOUGH_FOR_A_MODEL:
        method, found = "AutoETS (week)", AutoETS(season_length=WEEK).forecast(values, DAYS_AHEAD, level=list(LEVELS))
    else:
        method, found = NAIVE, {"mean": np.array([np.nan])}
    # Exponential smoothing may end in no number.
    if not all(np.isfinite(each).all() for each in found.values()):
        method, found = NAIVE, SeasonalNaive(season_length=WEEK).forecast(values, DAYS_AHEAD, level=list(LEVELS))
    return method, found


def _tried(model: Any, values: Any) -> dict[str, Any]:
    """The forecast of a model, with intervals as wide as its errors of the last days, relative to the forecast.

    The intervals of MSTL itself leave out what its seasons do not know: of 80 %, they held 46 to 59 % of outcomes.
    """
    import numpy as np

    errors = []
    for back in range(DAYS_AHEAD, (TRIALS + 1) * DAYS_AHEAD, DAYS_AHEAD):
        before, after = values[:-back], values[len(values) - back :][:DAYS_AHEAD]
        expected = model.forecast(before, DAYS_AHEAD)["mean"]
        errors.append(np.abs(after - expected) / np.maximum(expected, 0.01))
    mean = model.forecast(values, DAYS_AHEAD)["mean"]
    widths = {level: np.quantile(np.concatenate(errors), level / 100) * np.abs(mean) for level in LEVELS}
    lows = {f"lo-{level}": mean - width for level, width in widths.items()}
    return {"mean": mean, **lows, **{f"hi-{level}": mean + width for level, width in widths.items()}}


def _money(value: float) -> Decimal:
    """Revenue is never negative, whatever a symmetrical interval says."""
    return Decimal(f"{max(float(value), 0.0):.2f}")


def _frame(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=pd.Index(COLUMNS), dtype=object)
