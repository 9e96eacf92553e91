"""Marks on the time axis: a shop's notes on days, and public holidays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from dashboards.app.chart_data import Answer, Column
from dashboards.app.filters import parse_day
from dashboards.app.formats import day_in_year

NOTE_COLUMNS = ("day", "text")
LONGEST_NOTE = 200

Days = tuple[dt.date, dt.date]
Note = tuple[dt.date, str]


@dataclass(frozen=True)
class Notes:
    """The notes of a shop, by day, and the country or state whose public holidays count, such as US or US-CA."""

    of_days: tuple[Note, ...] = ()
    holidays: str = ""

    def between(self, first: dt.date, last: dt.date) -> list[Note]:
        """The notes and the holidays from one day to another, by day; holidays come first."""
        found = [note for year in range(first.year, last.year + 1) for note in _holidays(self.holidays, year)]
        found += self.of_days
        return sorted((note for note in found if first <= note[0] <= last), key=lambda note: note[0])


def read_notes(rows: Sequence[tuple[int, Mapping[str, str]]]) -> tuple[Note, ...]:
    """The notes of a file's rows.

    Raises:
        ValueError: a row is wrong. The message begins with its line.
    """
    found: list[Note] = []
    for line, row in rows:
        day, text = parse_day(row["day"]), row["text"]
        if day is None:
            shown = repr(row["day"][:40]) if row["day"] else "(blank)"
            raise ValueError(f", line {line}: day {shown} is not a day such as 2026-01-31")
        if not text:
            raise ValueError(f", line {line}: text is blank")
        if len(text) > LONGEST_NOTE:
            raise ValueError(f", line {line}: text is longer than {LONGEST_NOTE} characters")
        found.append((day, "".join(character if character.isprintable() else " " for character in text)))
    return tuple(found)


@lru_cache(maxsize=256)
def _holidays(place: str, year: int) -> tuple[Note, ...]:
    """The public holidays of a country or one of its states in a year, in English where it has English names."""
    if not place:
        return ()
    import holidays  # takes a tenth of a second, and most shops use none

    country, _, state = place.partition("-")
    languages = getattr(holidays, country).supported_languages
    language = "en_US" if "en_US" in languages else None
    found = holidays.country_holidays(country, subdiv=state or None, years=year, language=language)
    return tuple(sorted(found.items()))


def with_notes(answer: Answer, parts: Sequence[Days], notes: Notes) -> Answer:
    """A trend by month or day with the notes and holidays of each; unchanged by year, or if there are none."""
    if answer.level not in ("month", "day") or not parts:
        return answer
    texts = [""] * len(parts)
    places = {day: place for place, (first, last) in enumerate(parts) for day in _each(first, last)}
    for day, text in notes.between(parts[0][0], parts[-1][1]):
        shown = f"{day_in_year(day)}: {text}" if answer.level == "month" else text
        place = places[day]
        texts[place] += f"; {shown}" if texts[place] else shown
    if not any(texts):
        return answer
    rows = tuple((*row, text) for row, text in zip(answer.rows, texts, strict=True))
    return replace(answer, columns=(*answer.columns, Column("notes", "Notes", "text")), rows=rows)


def _each(first: dt.date, last: dt.date) -> list[dt.date]:
    return [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
