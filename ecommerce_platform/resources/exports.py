"""A shop's own exports: converted by its connector into feed files, for commands and for Dagster's sensor alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ecommerce_platform.files import write_atomically
from ecommerce_platform.money import named
from ecommerce_platform.settings import Settings, load_settings

if TYPE_CHECKING:
    from ecommerce_platform.connectors.conversion import Converted
    from ecommerce_platform.connectors.currencies import Money


def convert_exports(settings: Settings, last_day: dt.date) -> Converted | None:
    """Convert the exports up to a day if a connector is set and anything has changed; None without a connector.

    The first day with an order becomes the platform's first day, unless ECOMMERCE_FIRST_DAY is set; the currency of the
    orders its reporting currency, unless ECOMMERCE_CURRENCY is set.

    Raises:
        ConnectorError: a file or the connector is wrong; what was converted before is unchanged.
    """
    if settings.connector_dir is None:
        return None
    # DuckDB takes a moment to import, and most processes never convert.
    from ecommerce_platform.connectors.connector import read_connector
    from ecommerce_platform.connectors.conversion import convert

    connector = read_connector(settings.connector_dir)
    converted = convert(
        connector, settings.landing, settings.feed_files, last_day, settings.time_zone, money_of(settings)
    )
    _remember_first_day(settings, converted.first_day)
    _remember_currency(settings, converted.currency)
    return converted


def money_of(settings: Settings) -> Money:
    """The reporting currency, if one is set or was noted, and the rates.

    Raises:
        ConnectorError: the file of rates is wrong.
    """
    from ecommerce_platform.connectors.currencies import SCHEMA, Money, read_rates

    code = settings.currency if "currency" in settings.model_fields_set else None
    rates, digest = (SCHEMA.empty_table(), "") if settings.rates is None else read_rates(settings.rates)
    return Money(code, rates, digest)


def told_of(settings: Settings, converted: Converted) -> Iterator[str]:
    """What a person should know of a conversion, one or two sentences a line."""
    if converted.is_new and settings.connector_dir is not None:
        rows = ", ".join(f"{rows:,} {feed}" for feed, rows in converted.rows.items())
        yield (
            f"Converted {settings.landing} with the connector {settings.connector_dir.name}: {rows},"
            f" {converted.first_day} to {converted.last_day}; {converted.changed_days:,} days have changed."
        )
    if converted.is_new and converted.later:
        yield f"{converted.later:,} orders are of days that are not over yet. They are loaded later."
    if "currency" not in settings.model_fields_set:
        yield f"The reporting currency is {named(converted.currency)}: ECOMMERCE_CURRENCY sets another one."
    first_day = load_settings().first_day
    if first_day > converted.first_day:
        yield f"Orders before {first_day} (ECOMMERCE_FIRST_DAY) are not loaded."


def _remember_currency(settings: Settings, code: str) -> None:
    """Write the reporting currency of a first conversion to the data folder, unless the setting says it."""
    if "currency" not in settings.model_fields_set:
        write_atomically(settings.currency_file, f"{code}\n".encode())
        load_settings.cache_clear()


def _remember_first_day(settings: Settings, first_day: dt.date) -> None:
    """Write the first day with an order to the data folder, unless an earlier one is there or the setting says so."""
    is_noted = settings.first_day_file.exists()
    if ("first_day" in settings.model_fields_set and not is_noted) or (is_noted and settings.first_day <= first_day):
        return
    write_atomically(settings.first_day_file, f"{first_day}\n".encode())
    load_settings.cache_clear()
