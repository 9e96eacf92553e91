"""The dashboard specification, its metrics, and the format of values."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from decimal import Decimal

import numpy as np
import pytest

from dashboards.app.breakdown import mean_lifespan
from dashboards.app.cards import chart_card, kpi_card, kpi_head, sparkline
from dashboards.app.chart_data import Answer, Column, KpiAnswer
from dashboards.app.figures import figure
from dashboards.app.figures_by_member import in_two_lines
from dashboards.app.filters import Filters
from dashboards.app.formats import axis_ticks, exact, period_label, short, tick_labels
from dashboards.app.theme import DARK, LIGHT, Theme, contrast
from dashboards.spec.fields import DIMENSIONS, HIERARCHIES, MEASURES, Format
from dashboards.spec.metrics import MetricError, metric, metrics
from dashboards.spec.pages import PAGES, page_at
from ecommerce_platform.files import FORMULA_STARTS
from ecommerce_platform.settings import PROJECT_DIR, load_settings


def test_every_page_names_known_fields_once():
    visuals = [visual for page in PAGES for visual in page.visuals]
    assert len({visual.id for visual in visuals}) == len(visuals)
    for visual in visuals:
        assert visual.dimension is None or visual.dimension in DIMENSIONS
        assert visual.hierarchy is None or visual.hierarchy in HIERARCHIES
    for page in PAGES:
        assert page_at(page.path) is page
        assert page_at(page.path + "/") is page
        for kpi in page.kpis:
            assert kpi.measure is None or kpi.measure in MEASURES
    assert page_at("/nowhere") is None


def test_each_row_of_charts_fills_the_width_of_the_page():
    for page in PAGES:
        rest = 0
        for visual in page.visuals:
            rest = (rest + visual.span) % 12
        assert rest == 0, page.id


def test_a_metric_is_what_the_sql_file_says():
    assert metric("profit_margin")(Decimal("10.00"), Decimal("6.66")) == Decimal("33.40")
    assert metric("average_order_value")(Decimal("10.00"), 0) is None
    assert metric("share")(Decimal(1), Decimal(8)) == Decimal("12.50")
    assert metric("customer_lifespan")(dt.date(2024, 1, 1), dt.date(2024, 1, 2)) == pytest.approx(Decimal(1) / 12)
    # Exactly 14.245, though 42 / 365.25 is no finite decimal.
    assert metric("customer_lifetime_value")(Decimal("56.98"), 1, 168, mean_lifespan(np.array([42]))) == Decimal(
        "14.25"
    )
    assert metrics()["share"].comment == "part / whole * 100."


@pytest.mark.parametrize("name", ["average_order_value", "profit_margin", "share"])
def test_a_metric_of_columns_is_rounded_like_the_metric_itself(name: str):
    """Sparklines and rankings once computed margin and average order value with formulas of their own."""
    random = np.random.default_rng(7)
    first = np.concatenate([random.integers(-(10**9), 10**9, 2_000), [24_690, 0, 100, -12_345, 1]])
    second = np.concatenate([random.integers(-(10**7), 10**7, 2_000), [20_000, 0, 0, 20_000, 8]])
    several = metric(name).of_columns(first / 100, second / 100)
    for position in range(len(first)):
        one = metric(name)(Decimal(int(first[position])).scaleb(-2), Decimal(int(second[position])).scaleb(-2))
        assert (None if np.isnan(several[position]) else float(several[position])) == (
            None if one is None else float(one)
        )


def test_a_metric_that_is_not_defined_is_named():
    with pytest.raises(MetricError, match=r"070_metrics.sql does not define warehouse\.magic"):
        metric("magic")


def test_a_metric_in_sql_that_is_not_known_is_not_guessed(tmp_path):
    path = tmp_path / "070_metrics.sql"
    path.write_text(
        "create or replace function warehouse.odd(a numeric) returns numeric\n"
        "language sql immutable parallel safe\nreturn sqrt(a);\n"
        "comment on function warehouse.odd(numeric) is 'Odd.';\n"
    )
    odd = metrics(path)["odd"]
    with pytest.raises(MetricError, match="SQRT"):
        odd(4)
    with pytest.raises(MetricError, match="cannot be translated to DAX"):
        odd.dax(a="[A]")


def test_the_dax_of_a_ratio_divides_as_the_sql_does():
    assert metric("profit_margin").dax(revenue="[R]", cost="[C]") == "ROUND ( DIVIDE ( ( [R] - [C] ), [R] ) * 100, 2 )"


@pytest.mark.parametrize(
    ("value", "kind", "text", "brief"),
    [
        (Decimal("1234567.89"), "money", "$1,234,567.89", "$1.23M"),
        (Decimal("12345678.90"), "money", "$12,345,678.90", "$12.3M"),
        (Decimal("1234.50"), "money", "$1,234.50", "$1.23K"),
        (Decimal("999.99"), "money", "$999.99", "$999.99"),
        (Decimal("999.996"), "money", "$1,000.00", "$1.00K"),
        (Decimal("999999.00"), "money", "$999,999.00", "$1.00M"),
        (Decimal("-999950.00"), "money", "-$999,950.00", "-$1.00M"),
        (Decimal("9999.99"), "money", "$9,999.99", "$10.0K"),
        (Decimal("999949.99"), "money", "$999,949.99", "$999.9K"),
        (999_999, "count", "999,999", "1.00M"),
        (9_999, "count", "9,999", "9,999"),
        (Decimal("-2500000.00"), "money", "-$2,500,000.00", "-$2.50M"),
        (5_203, "count", "5,203", "5,203"),
        (98_071, "count", "98,071", "98.1K"),
        (Decimal("33.40"), "percent", "33.40%", "33.4%"),
        (Decimal("12.25"), "percent", "12.25%", "12.3%"),  # a half is rounded up, as in the tables
        (Decimal("-12.25"), "percent", "-12.25%", "-12.3%"),
        (None, "money", "–", "–"),
        (dt.date(2026, 3, 4), "day", "4 Mar 2026", "4 Mar 2026"),
    ],
)
def test_values_are_exact_in_tables_and_short_on_charts(value, kind, text, brief):
    assert exact(value, kind) == text
    assert short(value, kind) == brief


def test_price_ranges_have_the_symbol_of_the_currency(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("ECOMMERCE_CURRENCY", "GBP")
    load_settings.cache_clear()
    visual = next(v for page in PAGES for v in page.visuals if v.id == "price_ranges")
    said = str(chart_card(visual))
    load_settings.cache_clear()
    assert "By list price: Budget below £25, Mid-range below £100, Premium from £100." in said


def test_an_axis_has_a_few_round_values_written_as_on_the_cards():
    """Plotly wrote G for a billion, and k beside the K of the cards."""

    def ticks(*values: float | None, kind: Format = "money") -> tuple[list[float], list[str]]:
        axis = axis_ticks(kind, values)
        return axis["tickvals"], axis["ticktext"]

    assert ticks(3.1e9) == ([0, 1e9, 2e9, 3e9], ["$0", "$1B", "$2B", "$3B"])
    assert ticks(10_900.0) == ([0, 2000, 4000, 6000, 8000, 10_000], ["$0", "$2K", "$4K", "$6K", "$8K", "$10K"])
    assert ticks(14_900.0)[1] == ["$0", "$2.5K", "$5K", "$7.5K", "$10K", "$12.5K"]
    assert ticks(1_250.0, None, -700.0) == ([-500, 0, 500, 1000], ["-$500", "$0", "$500", "$1K"])
    assert ticks(1_250.0, -300.0) == ([0, 500, 1000], ["$0", "$500", "$1K"])
    assert ticks(12.0, kind="count")[0] == [0, 2, 4, 6, 8, 10, 12]
    assert ticks(3.0, kind="count") == ([0, 1, 2, 3], ["0", "1", "2", "3"])
    assert ticks(1.0, kind="count") == ([0, 1], ["0", "1"])
    assert ticks(0.35) == ([0, 0.1, 0.2, 0.3], ["$0", "$0.1", "$0.2", "$0.3"])
    assert ticks() == ticks(0.0) == ([0], ["$0"])


def test_an_axis_without_sales_ends_at_one_and_not_at_a_fraction():
    assert axis_ticks("money", [0.0, 0.0])["range"] == [0, 1]
    assert "range" not in axis_ticks("money", [0.0, 3.0])


@pytest.mark.parametrize("name", ["long_tail", "revenue_trend"])
def test_no_number_stands_over_the_axis_while_hovering(name: str):
    """In plotly's hover mode x, the place of the point, such as 35, stood over the axis."""
    visual = next(v for page in PAGES for v in page.visuals if v.id == name)
    columns = [Column("rank", "Rank", "count"), Column("a", "A", "text"), Column("b", "B", "percent")]
    cells: tuple = (1, "Thing", Decimal(90))
    if name == "revenue_trend":
        columns, cells = [Column("period", "Period", "text"), Column("b", "B", "money")], ("2024-01", Decimal(90))
    layout = figure(visual, Answer(tuple(columns), (cells,)), Filters(), LIGHT, lambda pairs: "/")["layout"]
    assert (layout["hovermode"], layout["hoverdistance"]) == ("closest", -1)


def test_all_axes_abbreviate_alike():
    """Plotly wrote 10k on the axis of ranks, beside 98.2K on the cards."""
    visual = next(v for page in PAGES for v in page.visuals if v.id == "long_tail")
    columns = (Column("rank", "Rank", "count"), Column("a", "A", "text"), Column("b", "B", "percent"))
    rows: tuple = tuple((rank, "Thing", Decimal(rank) / 200) for rank in range(1, 20_001))
    layout = figure(visual, Answer(columns, rows), Filters(), LIGHT, lambda pairs: "/")["layout"]
    assert layout["xaxis"]["ticktext"] == ["0", "5K", "10K", "15K", "20K"]


@pytest.mark.parametrize(
    ("change", "state", "text"),
    [("-0.04", "level", "unchanged"), ("0.05", "up", "0.1%"), ("-0.05", "down", "0.1%"), ("1234", "up", "1,234.0%")],
)
def test_a_change_that_rounds_to_nothing_is_neither_up_nor_down(change: str, state: str, text: str):
    """It was a red ▼ 0.0."""
    kpi = next(kpi for page in PAGES for kpi in page.kpis if kpi.id == "orders")
    said = str(kpi_card(kpi, KpiAnswer(1, Decimal(change)), "light"))
    assert f"is-{state}" in said
    assert text in said


def test_a_definition_is_behind_a_button_and_not_in_a_tooltip():
    kpi = next(kpi for page in PAGES for kpi in page.kpis if kpi.id == "orders")
    ((_, definition),) = [head.children for head in kpi_head(kpi)]
    assert (type(definition).__name__, type(definition.children[0]).__name__) == ("Details", "Summary")
    assert kpi.meaning in str(definition.children[1])


def test_the_labels_of_an_axis_of_time_name_a_year_once():
    assert tick_labels(["2024-11", "2024-12", "2025-01"]) == ["Nov<br>2024", "Dec", "Jan<br>2025"]
    assert tick_labels(["2024-12-31", "2025-01-05"]) == ["31 Dec<br>2024", "5 Jan<br>2025"]
    assert tick_labels(["2024", "2025"]) == ["2024", "2025"]


def drawn_as(visual_id: str, answer: Answer) -> dict:
    visual = next(visual for page in PAGES for visual in page.visuals if visual.id == visual_id)
    return figure(visual, answer, Filters(), LIGHT, lambda pairs: "/")


def test_a_reason_of_rejected_rows_has_two_lines_and_whole_words():
    """On wide cards, too, "line_total: is not quantity * uni…" was cut."""
    columns = (Column("reason", "Reason", "text"), Column("rows", "Rows", "count"), Column("feed", "Feed", "text"))
    reasons = ("line_total: is not quantity * unit_price - discount_amount", "date_of_birth: not a date (YYYY-MM-DD)")
    drawn = drawn_as("rejects", Answer(columns, tuple((reason, 1, "returns") for reason in reasons)))
    shown = [label.split("</span>")[1] for label in drawn["layout"]["yaxis"]["ticktext"]]
    assert shown == [
        "<br>line_total: is not quantity *  <br>unit_price - discount_amount  ",
        "<br>date_of_birth: not a date  <br>(YYYY-MM-DD)  ",
    ]


def test_cohorts_beyond_the_palette_are_dotted_in_its_colors():
    """They were so pale that they could hardly be seen."""
    months = [f"2025-{month:02d}" for month in range(1, 13)]
    columns = (Column("cohort", "Cohort", "text"), Column("months_since", "Months", "count"))
    columns += (Column("revenue_per_customer", "Revenue", "money"),)
    rows = tuple((month, 0, Decimal(1)) for month in months)
    lines = drawn_as("cohort_curves", Answer(columns, rows, color_of="cohort", colors=tuple(range(12))))["data"]
    looks = [(trace["line"]["color"], trace["line"]["dash"]) for trace in lines]
    assert len({*looks}) == 12
    assert {color for color, _ in looks} == {*LIGHT.series}


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Short name", ["Short name"]),
        ("Nexwave Noise-Cancelling Laptop 15", ["Nexwave", "Noise-Cancelling Lapt…"]),
        ("Trailfox Adjustable Camp Stove", ["Trailfox Adjustable", "Camp Stove"]),
        ("Donaudampfschifffahrtsgesellschaft", ["Donaudampfschifffahrt…"]),
        ("Donaudampfschifffahrtsgesellschaft AG", ["Donaudampfschifffahrt…", "AG"]),
    ],
)
def test_a_long_name_has_two_lines(name: str, lines: list[str]):
    assert in_two_lines(name) == lines


def test_periods_are_written_for_people():
    assert [period_label(text) for text in ("2026", "2026-03", "2026-03-04")] == ["2026", "Mar 2026", "4 Mar 2026"]


def test_a_csv_file_cannot_run_in_a_spreadsheet():
    columns = (Column("product", "Product", "text"), Column("revenue", "Revenue", "money"))
    answer = Answer(columns, (("=HYPERLINK(1)", Decimal("-1.50")), ('a "b", c', None)))
    assert answer.csv() == 'product,revenue\r\n\'=HYPERLINK(1),-1.50\r\n"a ""b"", c",\r\n'


@pytest.mark.parametrize("text", FORMULA_STARTS)
def test_the_dashboards_know_every_beginning_of_a_formula(text: str) -> None:
    """The dashboards had their own list, without the line break and without the full-width signs."""
    answer = Answer((Column("product", "Product", "text"),), ((f"{text}1+1",),))
    (_, row) = csv.reader(io.StringIO(answer.csv(), newline=""))
    assert row == [f"'{text}1+1"]


def test_tooltips_hold_names_as_text_and_never_as_markup():
    visual = next(v for page in PAGES for v in page.visuals if v.id == "top_products")
    columns = (Column("product", "Product", "text"), Column("revenue", "Total revenue", "money"))
    answer = Answer(columns, (("<img src=x onerror=alert(1)>", Decimal("1.00")),), ((("product", "1"),),))
    drawn = figure(visual, answer, Filters(), LIGHT, lambda pairs: "/?x")
    assert "<img" not in str(drawn)
    assert "&lt;img" in str(drawn["data"][0]["customdata"])


def test_a_flat_course_is_a_line_in_the_picture():
    assert sparkline([5.0, 5.0, 5.0], "#000000").startswith("data:image/svg+xml;base64,")


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_and_marks_can_be_seen(theme: Theme):
    """WCAG 2.2 contrast: 4.5 for text (1.4.3), and 3 for meaningful parts of a chart without a label (1.4.11)."""
    assert contrast(theme.text, theme.surface) >= 7
    assert contrast(theme.muted, theme.surface) >= 4.5
    assert contrast(theme.accent, theme.surface) >= 3
    assert contrast("#ffffff", theme.tooltip) >= 7
    assert all(contrast(theme.text, color) >= 4.5 for color in theme.heat)


def test_both_modes_are_the_same_in_the_style_sheet_and_in_the_charts():
    from dashboards.app.server import ASSETS

    text = (ASSETS / "style.css").read_text()
    light, dark = re.findall(r":root(?:\[data-theme=\"dark\"\])? \{(.*?)\}", text, flags=re.DOTALL)[:2]
    for block, theme in ((light, LIGHT), (dark, DARK)):
        colors = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        assert (colors["text"], colors["muted"], colors["surface"]) == (theme.text, theme.muted, theme.surface)
        assert colors["accent-fill"] == theme.accent


def test_the_guide_tells_every_chart_and_every_metric_and_shows_every_page():
    guide = (PROJECT_DIR / "dashboards" / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert f"![{page.title}](screenshots/{page.id}.png)" in guide
        picture = PROJECT_DIR / "dashboards" / "screenshots" / f"{page.id}.png"
        assert 10_000 < picture.stat().st_size < 150_000
        for part in (*((kpi.label, kpi.meaning) for kpi in page.kpis), *((v.title, v.meaning) for v in page.visuals)):
            assert "| {} | {} |".format(*part).replace("¤", "") in guide
    for measure in MEASURES.values():
        assert f"| {measure.label} | {measure.definition} |" in guide
    for dimension in DIMENSIONS.values():
        assert f"| {dimension.label} | `{dimension.id}` | {dimension.meaning} |" in guide
