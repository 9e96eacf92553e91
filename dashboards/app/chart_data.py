"""The data behind charts and KPIs. A chart, its table, and its CSV file show the same rows."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from dashboards.spec.fields import DIMENSIONS, MEASURES, Format
from dashboards.spec.page_types import Kind
from ecommerce_platform.files import without_formula

Cell = str | int | Decimal | dt.date | dt.datetime | None
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Column:
    """A column of an answer: its ID, its heading, and how its values are formatted."""

    id: str
    label: str
    format: Format


@dataclass(frozen=True)
class Answer:
    """The data that a chart shows.

    Attributes:
        columns: the columns.
        rows: the rows, in the order in which the chart shows them.
        clicks: for each row, the filters that a click on it sets; empty if rows can't be clicked.
        level: the level of the chart's hierarchy that is shown, if it has a hierarchy.
        note: what a reader needs to know, for example that a month is incomplete.
        table_note: the same, about columns that only the table shows.
        partial: positions of the rows whose period is incomplete.
        missing: why there is nothing to draw although there are orders, for example that no cost is known.
        drawn_as: the kind of chart to draw instead of the visual's, such as bars where no map fits; empty for the same.
        color_of: the dimension whose members have the colors of the chart, or year; empty if colors mean nothing.
        colors: for each row, the index of its member's color, the same under every filter; see ``Theme.color``.
        compared: the name and the days of the comparison whose values are in ``compared_MEASURE``; empty without one.
        leads_to: the path of the page that a click leads to, with the filters that it sets and no others; empty if a
            click filters the page that the chart is on.
    """

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    clicks: tuple[Pairs, ...] = ()
    level: str | None = None
    note: str = ""
    table_note: str = ""
    partial: tuple[int, ...] = ()
    missing: str = ""
    drawn_as: Kind | Literal[""] = ""
    color_of: str = ""
    colors: tuple[int, ...] = ()
    compared: str = ""
    leads_to: str = ""

    def column(self, column_id: str) -> list[Cell]:
        """All values in a column."""
        position = [column.id for column in self.columns].index(column_id)
        return [row[position] for row in self.rows]

    def csv(self) -> str:
        """The rows as CSV with a header line, safe to open in a spreadsheet."""
        return csv_text([[column.id for column in self.columns], *self.rows])


def csv_text(rows: Iterable[Iterable[Cell]]) -> str:
    """Rows as CSV, safe to open in a spreadsheet."""
    text = io.StringIO()
    # RFC 4180. Python quotes a lone carriage return only if the line terminator contains one.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerows([[_csv_cell(cell) for cell in row] for row in rows])
    return text.getvalue()


def _csv_cell(cell: Cell) -> str:
    return "" if cell is None else str(without_formula(cell))


@dataclass(frozen=True)
class KpiAnswer:
    """A KPI: its value, its change from the prior period, and the values of its sparkline."""

    value: Decimal | int | None
    change: Decimal | None = None
    """In percent, or in percentage points if the KPI is a percentage; None if there is no comparison."""
    spark: tuple[float, ...] = ()
    why: str = ""
    """What the value is compared with, or why there is no comparison."""
    note: str = ""
    """What the value leaves out, for example revenue without a known cost."""
    target: Progress | None = None
    """How far the value has come to its target, if it has one."""


@dataclass(frozen=True)
class Progress:
    """How far a value has come to its target: a sentence, and the part of the way, from 0 to 1."""

    text: str
    part: float


def money(cents: float) -> Decimal:
    """Convert cents to an amount with two decimal places."""
    return Decimal(int(cents)).scaleb(-2)


def measure_column(measure: str) -> Column:
    """The column of a measure, labeled and formatted as the specification says."""
    return Column(measure, MEASURES[measure].label, MEASURES[measure].format)


def dimension_column(dimension: str) -> Column:
    """The column of a dimension's members, labeled as the specification says."""
    return Column(dimension, DIMENSIONS[dimension].label, "text")
