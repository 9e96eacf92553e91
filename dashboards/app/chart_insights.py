"""What stands out in a chart, in one sentence computed from the rows that the chart shows.

A rule reads the rows of an :class:`Answer` and nothing else, so that a sentence never claims what its chart's table
does not show. It is silent where nothing stands out; the constants say from when on something does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from statistics import median

from dashboards.app.analysis_insights import ANALYSIS_RULES
from dashboards.app.chart_data import Answer
from dashboards.app.formats import count_text, period_label, rounded, short
from dashboards.app.sentence import LEADS_BY, STANDS_OUT, Rule, Sentence, clicks, numbers
from dashboards.app.snapshot import WEEKDAYS as DAY_NAMES
from dashboards.spec.page_types import Visual

POINTS_APART = Decimal(5)
"""Percentage points between two members that are worth a sentence."""
MATTERS = Decimal(2)
"""Members with less of the revenue, in per cent, are not compared by their ratios."""
FEWEST_PERIODS = 4
FEWEST_ORDERS = 30
"""Members with fewer orders are not compared by their ratios."""
CONCENTRATED = Decimal(60)
"""Per cent of revenue from a fifth of the products at which a sentence says so."""
FEWEST_CUSTOMERS = 20
"""Cohorts with fewer customers are not compared."""
FEWEST_DAYS = 28
"""Days are compared with the same weekdays, of which there must be a few."""
SUFFIX = {"segment": " customers"}
"""What follows the name of a member, as the subject of a sentence."""
TIMES = Decimal(3)
"""How many times as much one segment must have brought per customer as another."""


def chart_sentence(visual: Visual, answer: Answer) -> Sentence | None:
    """The sentence of a chart; None if nothing stands out."""
    if not answer.rows or answer.missing:
        return None
    rule = _RULES.get(visual.id) or _BY_MEASURE.get(visual.measures[0] if visual.measures else "")
    return rule(answer) if rule is not None else None


def _has(answer: Answer, *columns: str) -> bool:
    return {*columns} <= {column.id for column in answer.columns}


def leader(answer: Answer) -> Sentence | None:
    """The member with the most revenue, if it leads the next one or has far more than an equal share."""
    if not _has(answer, "revenue_share") or len(answer.rows) < 2:
        return None
    shares = [share or Decimal(0) for share in numbers(answer, "revenue_share")]
    first, second = sorted(range(len(shares)), key=lambda row: -shares[row])[:2]
    if shares[second] <= 0:
        return None
    lead = shares[first] / shares[second]
    if lead < LEADS_BY and shares[first] < LEADS_BY * 100 / len(shares):
        return None
    name, next_name = (f"{answer.rows[row][0]}{SUFFIX.get(answer.columns[0].id, '')}" for row in (first, second))
    text = f"{name} bring{'s' if name == answer.rows[first][0] else ''} {short(shares[first], 'percent')} of revenue"
    if lead >= LEADS_BY:
        text += f", {rounded(lead, 1)} times as much as {next_name}"
    else:
        text += f", ahead of {next_name} with {short(shares[second], 'percent')}"
    return Sentence(f"{text}.", clicks(answer, first), float(max(lead / LEADS_BY, Decimal(1))))


def ratio_of(column: str, verb: str, least: Decimal = POINTS_APART) -> Rule:
    """The rule for a chart of percentages by member: the highest and the lowest, if they are far apart."""

    def rule(answer: Answer) -> Sentence | None:
        values, revenue = numbers(answer, column), numbers(answer, "revenue") if _has(answer, "revenue") else None
        total = sum((value or Decimal(0) for value in revenue or ()), Decimal(0))
        compared = {
            row: value
            for row, value in enumerate(values)
            if value is not None and (revenue is None or not total or (revenue[row] or 0) * 100 >= MATTERS * total)
        }
        if len(compared) < 2:
            return None
        high, low = max(compared, key=lambda row: compared[row]), min(compared, key=lambda row: compared[row])
        apart = compared[high] - compared[low]
        if apart < least:
            return None
        highest, lowest = (f"{short(compared[row], 'percent')}" for row in (high, low))
        text = f"{answer.rows[high][0]} {verb} {highest}, {answer.rows[low][0]} {lowest}."
        return Sentence(text, clicks(answer, low if column == "profit_margin" else high), float(apart / least))

    return rule


def best_period(answer: Answer) -> Sentence | None:
    """The complete year or month that is furthest from the median of all, or the day furthest from its weekday's."""
    values = {
        str(cells[0]): Decimal(cells[1])
        for row, cells in enumerate(answer.rows)
        if row not in answer.partial and isinstance(cells[1], int | Decimal)
    }
    is_daily = answer.level == "day"
    if len(values) < (FEWEST_DAYS if is_daily else FEWEST_PERIODS):
        return None
    groups: dict[int, list[Decimal]] = {}
    for period, value in values.items():
        groups.setdefault(_weekday(period) if is_daily else 0, []).append(value)
    middles = {group: median(found) for group, found in groups.items()}

    def change(period: str) -> Decimal:
        middle = middles[_weekday(period) if is_daily else 0]
        return (values[period] - middle) / middle * 100 if middle > 0 else Decimal(0)

    period = max(values, key=lambda one: abs(change(one)))
    percent = change(period)
    if abs(percent) < STANDS_OUT:
        return None
    usual = f"median of the {len(values)} complete {answer.level}s"
    if is_daily:
        usual = f"median {DAY_NAMES[_weekday(period)]}"
    text = (
        f"{period_label(period)} stands out with {short(values[period], answer.columns[1].format)},"
        f" {short(abs(percent), 'percent')} {'above' if percent > 0 else 'below'} the {usual}."
    )
    return Sentence(text, (("period", period),), float(abs(percent) / STANDS_OUT))


def _weekday(day: str) -> int:
    return dt.date.fromisoformat(day).weekday()


def concentration(answer: Answer) -> Sentence | None:
    """The share of revenue from the best fifth of the products."""
    fifth = len(answer.rows) // 5
    if fifth < 1:
        return None
    share = answer.rows[fifth - 1][2]
    if not isinstance(share, Decimal) or share < CONCENTRATED:
        return None
    products = "product brings" if fifth == 1 else f"{count_text(fifth)} products bring"
    return Sentence(
        f"The top {products} {short(share, 'percent')} of revenue: a fifth of all that sold.",
        size=float(share / CONCENTRATED),
    )


def discounts(answer: Answer) -> Sentence | None:
    """How far the margin of the highest discount is from that without one."""
    shares = numbers(answer, "revenue_share")
    margins = {
        row: margin
        for row, margin in enumerate(numbers(answer, "profit_margin"))
        if margin is not None and (shares[row] or 0) >= MATTERS
    }
    if len(margins) < 2 or answer.rows[min(margins)][0] != "None":
        return None
    first, last = margins[min(margins)], margins[max(margins)]
    if abs(first - last) < POINTS_APART:
        return None
    band = str(answer.rows[max(margins)][0])
    text = (
        f"A discount of {band[0].lower()}{band[1:]} leaves a margin of {short(last, 'percent')},"
        f" {rounded(abs(first - last), 1)} points {'less' if last < first else 'more'} than no discount."
    )
    return Sentence(text, clicks(answer, max(margins)), float(abs(first - last) / POINTS_APART))


def lifetime(answer: Answer) -> Sentence | None:
    """How many times as much the customers of the best segment have brought so far as those of the weakest."""
    values = {row: value for row, value in enumerate(numbers(answer, "realized_value")) if value}
    if len(values) < 2:
        return None
    high, low = max(values, key=lambda row: values[row]), min(values, key=lambda row: values[row])
    times = values[high] / values[low]
    if times < TIMES:
        return None
    text = (
        f"A {answer.rows[high][0]} customer has brought {short(values[high], 'money')} so far on average,"
        f" {rounded(times, 1)} times as much as a {answer.rows[low][0]} customer."
    )
    return Sentence(text, clicks(answer, high), float(times / TIMES))


def returning(answer: Answer) -> Sentence | None:
    """The share of returning customers in the last complete month, compared with the first one shown."""
    months: dict[str, dict[str, int]] = {}
    for row, cells in enumerate(answer.rows):
        if row not in answer.partial and isinstance(cells[2], int):
            months.setdefault(str(cells[0]), {})[str(cells[1])] = cells[2]
    if len(months) < FEWEST_PERIODS:
        return None
    shares = {
        month: Decimal(100 * counts.get("Returning", 0)) / sum(counts.values()) for month, counts in months.items()
    }
    first, last = min(shares), max(shares)
    if abs(shares[last] - shares[first]) < POINTS_APART:
        return None
    text = (
        f"Returning customers were {short(shares[last], 'percent')} of those who ordered in {period_label(last)},"
        f" and {short(shares[first], 'percent')} in {period_label(first)}."
    )
    return Sentence(text, (("buyer", "returning"),), float(abs(shares[last] - shares[first]) / POINTS_APART))


def retention(answer: Answer) -> Sentence | None:
    """The cohort that is furthest from the median in the month after its first order."""
    sizes = {cells[0]: cells[3] for cells in answer.rows if cells[1] == 0}
    values: dict[int, Decimal] = {}
    for row, cells in enumerate(answer.rows):
        size = sizes.get(cells[0])
        is_large = isinstance(size, int) and size >= FEWEST_CUSTOMERS
        if cells[1] == 1 and row not in answer.partial and is_large and isinstance(cells[2], Decimal):
            values[row] = cells[2]
    if len(values) < FEWEST_PERIODS:
        return None
    middle = median(values.values())
    row = max(values, key=lambda row: abs(values[row] - middle))
    if abs(values[row] - middle) < POINTS_APART:
        return None
    text = (
        f"{short(values[row], 'percent')} of the {period_label(str(answer.rows[row][0]))} cohort ordered in the month"
        f" after, {'more' if values[row] > middle else 'less'} than the median of {short(middle, 'percent')}."
    )
    return Sentence(text, clicks(answer, row), float(abs(values[row] - middle) / POINTS_APART))


def top_customers(answer: Answer) -> Sentence | None:
    """What the customers in the table bring together, if it is more than a tenth of the revenue."""
    share = sum((value or Decimal(0) for value in numbers(answer, "revenue_share")), Decimal(0))
    if len(answer.rows) < 2 or share < 10:
        return None
    text = f"These {len(answer.rows)} customers bring {short(share, 'percent')} of revenue."
    return Sentence(text, clicks(answer, 0), float(share / 10))


def weekday(answer: Answer) -> Sentence | None:
    """The best and the weakest day of the week, by revenue per day."""
    values = {row: value for row, value in enumerate(numbers(answer, "revenue_per_day")) if value}
    if len(values) < 7 or min(day for day in answer.column("days") if isinstance(day, int)) < FEWEST_DAYS // 7:
        return None
    high, low = max(values, key=lambda row: values[row]), min(values, key=lambda row: values[row])
    percent = (values[high] - values[low]) / values[low] * 100
    if percent < STANDS_OUT:
        return None
    text = (
        f"{answer.rows[high][0]} sells {short(percent, 'percent')} more per day than {answer.rows[low][0]}:"
        f" {short(values[high], 'money')} and {short(values[low], 'money')}."
    )
    return Sentence(text, clicks(answer, high), float(percent / STANDS_OUT))


def preference(answer: Answer) -> Sentence | None:
    """The payment method whose share differs most between two regions of enough orders."""
    orders: dict[str, int] = {}
    for cells in answer.rows:
        orders[str(cells[0])] = orders.get(str(cells[0]), 0) + (cells[3] if isinstance(cells[3], int) else 0)
    shares: dict[str, list[tuple[Decimal, int]]] = {}
    for row, cells in enumerate(answer.rows):
        if orders[str(cells[0])] >= FEWEST_ORDERS and isinstance(cells[2], Decimal):
            shares.setdefault(str(cells[1]), []).append((cells[2], row))
    spread = {method: max(found)[0] - min(found)[0] for method, found in shares.items() if len(found) > 1}
    if not spread:
        return None
    method = max(spread, key=lambda name: spread[name])
    if spread[method] < POINTS_APART:
        return None
    (high, row), (low, other) = max(shares[method]), min(shares[method])
    text = (
        f"{method} has {short(high, 'percent')} of the orders in {answer.rows[row][0]},"
        f" and {short(low, 'percent')} in {answer.rows[other][0]}."
    )
    return Sentence(text, clicks(answer, row), float(spread[method] / POINTS_APART))


def season(answer: Answer) -> Sentence | None:
    """The month that was the best of every complete year, or the best month of the last complete one."""
    years: dict[str, dict[str, Decimal]] = {}
    for row, cells in enumerate(answer.rows):
        if row not in answer.partial and isinstance(cells[1], Decimal):
            years.setdefault(str(cells[0])[:4], {})[str(cells[0])[5:]] = cells[1]
    complete = {year: months for year, months in years.items() if len(months) == 12}
    if not complete:
        return None
    best = {year: max(months, key=lambda month: months[month]) for year, months in complete.items()}
    last = max(best)
    middle = median(complete[last].values())
    if middle <= 0:
        return None
    percent = (complete[last][best[last]] - middle) / middle * 100
    if percent < STANDS_OUT:
        return None
    period = f"{last}-{best[last]}"
    text = f"{period_label(period)} was {short(percent, 'percent')} above the median month of {last}"
    if len(best) > 1 and len({*best.values()}) == 1:
        text += ", and the same month was the best of each complete year"
    return Sentence(f"{text}.", (("period", period),), float(percent / STANDS_OUT))


_RULES: Mapping[str, Rule] = {
    **ANALYSIS_RULES,
    "revenue_trend": best_period,
    "long_tail": concentration,
    "discount_impact": discounts,
    "lifetime_value": lifetime,
    "new_and_returning": returning,
    "cohort_retention": retention,
    "top_customers": top_customers,
    "weekdays": weekday,
    "region_payments": preference,
    "seasonality": season,
}

_BY_MEASURE: Mapping[str, Rule] = {
    "revenue": leader,
    "profit_margin": ratio_of("profit_margin", "has a margin of"),
    "return_rate": ratio_of("return_rate", "has a return rate of", Decimal(2)),
}


def strongest(sentences: Sequence[Sentence | None], count: int) -> tuple[Sentence, ...]:
    """The sentences with the largest effects, at most ``count``, in the order given."""
    found = [sentence for sentence in sentences if sentence is not None]
    best = sorted(range(len(found)), key=lambda place: -found[place].size)[:count]
    return tuple(found[place] for place in sorted(best))
