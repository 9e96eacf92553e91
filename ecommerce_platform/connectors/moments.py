"""Moments as shops write them: which format a file uses, and which business day a moment belongs to."""

from __future__ import annotations

OFFSET = r"(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)$"
CLOCK_AND_OFFSET = rf"(\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*{OFFSET}"

ISO = "ISO 8601"
"""The format that every file may have, with an offset or without."""


OLDEST_YEAR = 1900


def literal(text: str) -> str:
    """A text as SQL; for statements of DuckDB in which parameters are not possible, such as CREATE MACRO."""
    # The name of a file may be no UTF-8.
    return "'" + text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("'", "''") + "'"


def wall_clock(value: str, format_: str) -> str:
    """SQL of the moment as it is written, without its offset; null where the text has another format."""
    if format_ == ISO:
        return (
            f"case when regexp_matches({value}, '^\\d{{4}}-\\d\\d-\\d\\d') "
            f"then try_cast(regexp_replace({value}, '{CLOCK_AND_OFFSET}', '\\1') as timestamp) end"
        )
    # %Y would read 10 as the year 10.
    parsed = f"try_strptime({value}, {literal(format_)})"
    return f"case when {parsed} >= timestamp '{OLDEST_YEAR}-01-01' then {parsed} end"


def business_moment(value: str, format_: str, time_zone: str | None, written_in: str | None) -> str:
    """SQL of the moment on the clocks of the shop's time zone: its date is the business day.

    Without a time zone, a moment counts as it is written. With one, a moment with an offset is converted, and one
    without is taken to be written in ``written_in``, or in the time zone itself.
    """
    wall = wall_clock(value, format_)
    if time_zone is None:
        return wall
    moved = wall if written_in is None else f"timezone({literal(time_zone)}, timezone({literal(written_in)}, {wall}))"
    if format_ != ISO:
        return moved
    letters = rf"replace(replace(regexp_extract({value}, '{OFFSET}'), 'GMT', 'Z'), 'UTC', 'Z')"
    minutes = rf"regexp_replace({letters}, '^([+-]\d\d)$', '\1:00')"
    offset = rf"regexp_replace({minutes}, '^([+-]\d\d):?(\d\d)$', '\1:\2')"
    exact = f"try_cast(regexp_replace({value}, '{CLOCK_AND_OFFSET}', '\\1') || {offset} as timestamptz)"
    has_offset = f"regexp_matches({value}, '{CLOCK_AND_OFFSET}')"
    return f"case when {has_offset} then timezone({literal(time_zone)}, {exact}) else {moved} end"
