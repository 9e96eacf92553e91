"""Targets, notes and holidays: what their files may hold, and what they look like."""

from __future__ import annotations

import datetime as dt
import os
from decimal import Decimal
from pathlib import Path

import pytest

from dashboards.app.additions import MOST_BYTES, AdditionFiles
from dashboards.app.annotations import Notes, with_notes
from dashboards.app.chart_data import Answer, Column
from dashboards.app.figures import figure
from dashboards.app.filters import Filters
from dashboards.app.layout import file_faults
from dashboards.app.targets import target_of
from dashboards.app.theme import LIGHT
from dashboards.spec.pages import EXECUTIVE

JULY = (dt.date(2024, 7, 1), dt.date(2024, 7, 31))


@pytest.fixture
def files(tmp_path: Path) -> AdditionFiles:
    return AdditionFiles(tmp_path / "targets.csv", tmp_path / "notes.csv")


def test_without_files_nothing_is_added(files: AdditionFiles) -> None:
    found = files.current()
    assert (found.targets.revenue, found.targets.profit_margin, found.faults) == ({}, {}, ())
    assert found.notes.between(*JULY) == []


def test_a_file_that_a_setting_names_must_be_there(tmp_path: Path) -> None:
    targets, notes = tmp_path / "targets.csv", tmp_path / "notes.csv"
    found = AdditionFiles(targets, notes, required=[targets]).current()
    assert found.faults == ("targets.csv: No such file or directory",)


def test_either_target_may_be_blank_and_columns_may_stand_in_any_order(files: AdditionFiles, tmp_path: Path) -> None:
    (tmp_path / "targets.csv").write_bytes(
        b"\xef\xbb\xbfprofit_margin, month,revenue\r\n35.5,2024-01,120000.50\r\n\r\n,2024-02,90000\r\n"
        b"36,2024-03,\r\n,2024-04,\r\n"
    )
    found = files.current()
    assert found.faults == ()
    assert found.targets.revenue == {dt.date(2024, 1, 1): Decimal("120000.50"), dt.date(2024, 2, 1): Decimal(90000)}
    assert found.targets.profit_margin == {dt.date(2024, 1, 1): Decimal("35.5"), dt.date(2024, 3, 1): Decimal(36)}


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", ""),
        (b"month,revenue\n", ", line 1: must name the columns month, revenue, profit_margin"),
        (b"month;revenue;profit_margin\n", ", line 1: must name the columns month, revenue, profit_margin"),
        (b"month,revenue,profit_margin\n2024-13,1,1\n", ", line 2: month '2024-13' is not a month such as 2026-01"),
        (b"month,revenue,profit_margin\n\n2024-1,1,1\n", ", line 3: month '2024-1' is not a month such as 2026-01"),
        (b"month,revenue,profit_margin\n,1,1\n", ", line 2: month (blank) is not a month such as 2026-01"),
        (b"month,revenue,profit_margin\n2024-01,1,1\n2024-01,2,2\n", ", line 3: month 2024-01 is there twice"),
        (
            b'month,revenue,profit_margin\n2024-01,"1,200",1\n',
            ", line 2: revenue '1,200' is not an amount such as 120000 or 120000.50",
        ),
        *(
            (
                f"month,revenue,profit_margin\n2024-01,{text},1\n".encode(),
                f", line 2: revenue {text!r} is not an amount such as 120000 or 120000.50",
            )
            for text in ("-5", "0", "0.00", "NaN", "inf", "1e9", "$5", "=1+1", "\u0661", "9" * 30)
        ),
        (
            b"month,revenue,profit_margin\n2024-01,1,100\n",
            ", line 2: profit_margin '100' is not a percentage such as 35 or 35.5",
        ),
        (b"month,revenue,profit_margin\n2024-01,1\n", ", line 2: has 2 values instead of 3"),
        (b"month,revenue,profit_margin\n2024-01,\xff,1\n", ", line 2: is not UTF-8 text"),
        (b'month,revenue,profit_margin\n2024-01,"1"x,1\n', ", line 2: ',' expected after '\"'"),
        (b"x" * (MOST_BYTES + 1), ": is larger than 1,000,000 bytes"),
    ],
)
def test_a_wrong_file_of_targets_is_named_with_line_and_reason(
    files: AdditionFiles, tmp_path: Path, content: bytes, fault: str
) -> None:
    (tmp_path / "targets.csv").write_bytes(content)
    found = files.current()
    assert found.faults == ((f"targets.csv{fault}",) if fault else ())
    assert (found.targets.revenue, found.targets.profit_margin) == ({}, {})


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("day,text\n2024-02-30,x\n", ", line 2: day '2024-02-30' is not a day such as 2026-01-31"),
        ("day,text\n1999-12-31,x\n", ", line 2: day '1999-12-31' is not a day such as 2026-01-31"),
        ("day,text\n2024-02-01,\n", ", line 2: text is blank"),
        ("day,text\n2024-02-01," + "x" * 201, ", line 2: text is longer than 200 characters"),
        ("day,text\n2024-02-01,Sale, then more\n", ", line 2: has 3 values instead of 2"),
    ],
)
def test_a_wrong_file_of_notes_is_named_with_line_and_reason(
    files: AdditionFiles, tmp_path: Path, content: str, fault: str
) -> None:
    (tmp_path / "notes.csv").write_text(content)
    found = files.current()
    assert found.faults == (f"notes.csv{fault}",)
    assert found.notes.of_days == ()
    assert f"notes.csv{fault}" in str(file_faults(found.faults))


def test_what_is_not_a_file_is_not_waited_for(files: AdditionFiles, tmp_path: Path) -> None:
    (tmp_path / "targets.csv").mkdir()
    os.mkfifo(tmp_path / "notes.csv")
    assert files.current().faults == ("targets.csv: is not a file", "notes.csv: is not a file")


def test_a_file_is_read_again_only_when_it_changes(files: AdditionFiles, tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("day,text\n2024-07-02,Sale\n")
    first = files.current()
    assert files.current().notes.of_days is first.notes.of_days
    assert files.current().version == first.version
    path.write_text("day,text\n2024-07-02,Sale\n2024-07-03,End of the sale\n")
    assert len(files.current().notes.of_days) == 2
    assert files.current().version != first.version
    path.write_text("day,text\n2024-07-02\n")
    assert files.current().faults == ("notes.csv, line 2: has 1 value instead of 2",)
    path.unlink()
    assert (files.current().faults, files.current().notes.of_days) == ((), ())


def test_a_part_of_a_month_has_its_part_of_the_target() -> None:
    targets = {dt.date(2024, 2, 1): Decimal(290000)}
    assert target_of((dt.date(2024, 2, 1), dt.date(2024, 2, 29)), targets) == Decimal("290000.00")
    assert target_of((dt.date(2024, 2, 20), dt.date(2024, 2, 29)), targets) == Decimal("100000.00")
    assert target_of((dt.date(2024, 2, 29), dt.date(2024, 2, 29)), {dt.date(2024, 2, 1): Decimal(1)}) == Decimal("0.03")
    assert target_of((dt.date(2024, 3, 1), dt.date(2024, 3, 1)), targets) is None


def test_holidays_come_before_the_notes_of_their_day() -> None:
    notes = Notes(((dt.date(2024, 7, 4), "Sale"), (dt.date(2024, 7, 2), "Start"), (dt.date(2024, 8, 1), "End")), "US")
    assert notes.between(*JULY) == [
        (dt.date(2024, 7, 2), "Start"),
        (dt.date(2024, 7, 4), "Independence Day"),
        (dt.date(2024, 7, 4), "Sale"),
    ]
    assert Notes(holidays="DE-BY").between(dt.date(2024, 1, 1), dt.date(2024, 1, 6)) == [
        (dt.date(2024, 1, 1), "New Year's Day"),
        (dt.date(2024, 1, 6), "Epiphany"),
    ]


def trend(level: str, *periods: str) -> Answer:
    columns = (Column("period", "Period", "text"), Column("revenue", "Total revenue", "money"))
    return Answer(columns, tuple((period, Decimal(1)) for period in periods), level=level)


def test_notes_are_marks_on_days_and_months() -> None:
    notes = Notes(((dt.date(2024, 7, 3), "Sale"),), "US")
    days = [(dt.date(2024, 7, number),) * 2 for number in (3, 4, 5)]
    by_day = with_notes(trend("day", "2024-07-03", "2024-07-04", "2024-07-05"), days, notes)
    assert by_day.column("notes") == ["Sale", "Independence Day", ""]
    by_month = with_notes(trend("month", "2024-07"), [JULY], notes)
    assert by_month.column("notes") == ["3 Jul: Sale; 4 Jul: Independence Day"]
    by_year = trend("year", "2024")
    assert with_notes(by_year, [(dt.date(2024, 1, 1), dt.date(2024, 12, 31))], notes) is by_year


def test_a_note_is_text_and_never_markup() -> None:
    visual = EXECUTIVE.visual("revenue_trend")
    assert visual is not None
    notes = Notes(((dt.date(2024, 7, 3), "<img src=x onerror=alert(1)> " + "a long text " * 10),))
    answer = with_notes(
        trend("month", "2024-07", "2024-08"), [JULY, (dt.date(2024, 8, 1), dt.date(2024, 8, 31))], notes
    )
    drawn = figure(visual, answer, Filters(), LIGHT, lambda pairs: "/")
    line, marks = drawn["data"]
    assert (marks["x"], marks["hoverinfo"]) == ([0], "skip")
    assert "&lt;img src=x onerror=alert(1)&gt;" in line["customdata"][0][1]
    assert "<img" not in str(drawn)
    assert "Notes" not in line["customdata"][1][1]
