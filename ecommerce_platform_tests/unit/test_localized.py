"""Numbers, amounts and dates as different locales write them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest

from dashboards.app.chart_data import Answer, Column
from dashboards.app.formats import (
    axis_ticks,
    coverage,
    days_label,
    exact,
    in_currency,
    period_label,
    short,
    tick_labels,
)
from ecommerce_platform.settings import SettingsError, load_settings

pytestmark = pytest.mark.unit

DAY = dt.date(2026, 3, 5)


@pytest.fixture
def in_locale(monkeypatch: pytest.MonkeyPatch) -> Iterator:
    def use(name: str, currency: str = "USD") -> None:
        monkeypatch.setenv("ECOMMERCE_LOCALE", name)
        monkeypatch.setenv("ECOMMERCE_CURRENCY", currency)
        load_settings.cache_clear()

    yield use
    load_settings.cache_clear()


# No-break spaces are written as ~, narrow ones as _.
@pytest.mark.parametrize(
    ("locale", "currency", "texts"),
    [
        ("en-US", "USD", "$1,234,567.50 -$1.23M 12,345,678 12.35% 5 Mar 2026|Thu 5 Mar 2026"),
        ("en-US", "CHF", "CHF~1,234,567.50 -CHF~1.23M 12,345,678 12.35% 5 Mar 2026|Thu 5 Mar 2026"),
        ("de-DE", "EUR", "1.234.567,50~€ -1,23M~€ 12.345.678 12,35~% 5. März 2026|Do., 5. März 2026"),
        ("fr-FR", "EUR", "1_234_567,50~€ -1,23M~€ 12_345_678 12,35~% 5 mars 2026|jeu. 5 mars 2026"),
        ("en-IN", "INR", "₹12,34,567.50 -₹1.23M 1,23,45,678 12.35% 5 Mar 2026|Thu, 5 Mar 2026"),
        ("ja-JP", "JPY", "￥1,234,568 -￥1.23M 12,345,678 12.35% 2026年3月5日|2026年3月5日(木)"),
    ],
)
def test_a_locale_writes_numbers_amounts_and_dates(in_locale, locale: str, currency: str, texts: str) -> None:
    in_locale(locale, currency)
    shown = [
        exact(Decimal("1234567.50"), "money"),
        short(Decimal("-1234567.50"), "money"),
        exact(12345678, "count"),
        exact(Decimal("12.345"), "percent"),
        f"{exact(DAY, 'day')}|{days_label(DAY, DAY)}",
    ]
    assert " ".join(shown).replace("\u00a0", "~").replace("\u202f", "_") == texts


def test_ranges_axes_and_notes_follow(in_locale) -> None:
    in_locale("de-DE", "EUR")
    assert days_label(dt.date(2025, 12, 28), DAY) == "28. Dez. 2025 – 5. März 2026"
    assert days_label(dt.date(2026, 2, 28), DAY) == "28. Feb. – 5. März 2026"
    assert tick_labels(["2025-12", "2026-01", "2026-02"]) == ["Dez<br>2025", "Jan<br>2026", "Feb"]
    assert (period_label("2026-03"), period_label("2026")) == ("März 2026", "2026")
    assert axis_ticks("money", [0, 2500])["ticktext"][-1] == "2,5K\u00a0€"
    assert coverage(Decimal("99.96")) == "99,9\u00a0%"
    assert in_currency("below ¤25, from ¤1000") == "below 25\u00a0€, from 1.000\u00a0€"


def test_a_csv_file_is_the_same_in_every_locale(in_locale) -> None:
    in_locale("de-DE")
    columns = (Column("day", "Day", "day"), Column("revenue", "Revenue", "money"))
    assert Answer(columns, ((DAY, Decimal("1234.50")),)).csv() == "day,revenue\r\n2026-03-05,1234.50\r\n"


@pytest.mark.parametrize("name", ["xx", "de_DE", "de-DE; drop table x", "../de", "e n"])
def test_an_unknown_locale_is_refused(in_locale, name: str) -> None:
    in_locale(name)
    with pytest.raises(SettingsError, match=r"ECOMMERCE_LOCALE: .* is not a locale whose formats are known"):
        load_settings()
