"""Converts the feeds of a connector into one currency, with daily rates from a file.

This is the only place where amounts change. What has no rate keeps its amounts and names its currency in the column
``currency``; the database rejects it until a rate is there.
"""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ecommerce_platform.connectors.errors import ConnectorError, reading, shown
from ecommerce_platform.money import DEFAULT, is_currency

if TYPE_CHECKING:
    import duckdb

OLDEST = 7
"""A rate counts for this many days after its own: central banks publish none on weekends and holidays."""

PRICED = ("transactions", "products")
"""The feeds that may name a currency."""

HEADER = ["day", "currency", "rate"]

RATE = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10})?")

SCHEMA = pa.schema([("day", pa.date32()), ("currency", pa.string()), ("rate", pa.decimal128(20, 10))])


@dataclass(frozen=True)
class Money:
    """What amounts are converted into, and with what.

    Attributes:
        currency: the reporting currency, ISO 4217; None: that of most orders.
        rates: day, currency, and units of the reporting currency for one unit; see :data:`SCHEMA`.
        digest: SHA-256 of the file of rates; empty without one.
    """

    currency: str | None = None
    rates: pa.Table = field(default_factory=SCHEMA.empty_table)
    digest: str = ""


UNSET = Money()
"""The currency of most orders, and no rates."""


def read_rates(path: Path) -> tuple[pa.Table, str]:
    """The rates of a file, as :class:`Money` has them, and the SHA-256 of its bytes.

    Raises:
        ConnectorError: names the file and the line.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ConnectorError(str(path), f"cannot be read ({error.strerror})", "see ECOMMERCE_RATES") from None
    except UnicodeDecodeError:
        raise ConnectorError(str(path), "the file is not UTF-8", "save it as UTF-8") from None
    with reading(path):
        rates = _rates_of(path, text)
    columns = ([day for day, _ in rates], [currency for _, currency in rates], list(rates.values()))
    table = pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )
    return table, hashlib.sha256(data).hexdigest()


def _rates_of(path: Path, text: str) -> dict[tuple[dt.date, str], Decimal]:
    rows = csv.reader(text.splitlines())
    header = [name.strip().lower() for name in next(rows, [])]
    if header != HEADER:
        raise ConnectorError(
            f"{path}, line 1", f"the header is {shown(','.join(header))}", "it must be day,currency,rate"
        )
    rates: dict[tuple[dt.date, str], Decimal] = {}
    for row in rows:
        if row:
            day, currency, rate = _rate(f"{path}, line {rows.line_num}", [value.strip() for value in row])
            if rates.setdefault((day, currency), rate) != rate:
                raise ConnectorError(
                    f"{path}, line {rows.line_num}", f"{currency} has another rate for {day} above", "keep one of them"
                )
    return rates


def _rate(where: str, row: list[str]) -> tuple[dt.date, str, Decimal]:
    if len(row) != len(HEADER):
        raise ConnectorError(where, f"the row has {len(row)} values", "write day,currency,rate")
    day, currency, rate = row
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII) or (parsed := _day(day)) is None:
        raise ConnectorError(where, f"{shown(day)} is not a date", "write it as 2024-01-31")
    if not is_currency(currency):
        raise ConnectorError(where, f"{shown(currency)} is not a currency", "write ISO 4217 codes, such as EUR")
    if not RATE.fullmatch(rate) or not Decimal(rate):
        raise ConnectorError(where, f"{shown(rate)} is not a rate", "write a positive number, such as 1.0848")
    return parsed, currency, Decimal(rate)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def convert_feeds(database: duckdb.DuckDBPyConnection, shop: str | None, money: Money, *, has_returns: bool) -> str:
    """Convert the tables ``feed_NAME`` in place; return the reporting currency.

    Args:
        database: has the feeds, with a column ``currency`` in those of orders and products: null where they do not say.
        shop: the currency of what does not say its own; None: that of most orders, or else the reporting currency.
        money: what to convert into, and with what.
        has_returns: whether there is ``feed_returns``.
    """
    usual = _value(database, "select mode(currency order by currency) from feed_transactions")
    reporting = money.currency or shop or usual or DEFAULT
    shop = shop or usual or reporting
    for feed in PRICED:
        # The reporting currency needs no name.
        database.execute(
            f"update feed_{feed} set currency = nullif(coalesce(currency, $1), $2)"
            " where currency is not null or $1 <> $2",
            [shop, reporting],
        )
    if any(_value(database, f"select count(*) from feed_{feed} where currency is not null") for feed in PRICED):
        database.register("_rates_of_file", money.rates)
        database.execute("create temp table _rates as from _rates_of_file")
        database.unregister("_rates_of_file")
        for statement in (_ORDER_RATES, _LINES, _ORDERS, *([_RETURNS] if has_returns else []), _PRODUCTS):
            database.execute(statement)
    return reporting


def _value(database: duckdb.DuckDBPyConnection, statement: str) -> Any:
    rows = database.execute(statement).fetchall()
    return rows[0][0] if rows else None


def _cents(column: str) -> str:
    """SQL of an amount, null where the text is none; decimals so small that a product with a rate never overflows."""
    is_amount = f"regexp_full_match({column}, '[0-9]{{1,10}}([.][0-9]{{1,2}})?')"
    return f"case when {is_amount} then cast({column} as decimal(12, 2)) end"


def _text(amount: str) -> str:
    return f"cast(cast({amount} as decimal(18, 2)) as varchar)"


# An order that is there twice has one rate, so that its lines have one.
_ORDER_RATES = f"""
create temp table _order_rates as
with orders as (
    select transaction_id, min(currency) as currency, min(day) as day
    from feed_transactions
    where currency is not null
    group by transaction_id
)
select orders.transaction_id, rates.rate
from orders
asof join _rates as rates on orders.currency = rates.currency and orders.day >= rates.day
where orders.day - rates.day <= {OLDEST}
"""

# A line that is wrong in itself stays as it is, so that the database rejects it for what is wrong. Rounding never makes
# a total negative, nor gives one to a line that was free.
_LINES = f"""
create temp table _converted_lines as
with typed as (
    select
        items.item_id,
        items.transaction_id,
        order_rates.rate,
        case when regexp_full_match(items.quantity, '[0-9]{{1,9}}') then cast(items.quantity as bigint) end as quantity,
        {_cents("items.unit_price")} as price,
        {_cents("coalesce(nullif(items.discount_amount, ''), '0')")} as discount,
        {_cents("items.line_total")} as total,
        items.rowid as row
    from feed_transaction_items as items
    inner join _order_rates as order_rates on items.transaction_id = order_rates.transaction_id
),
prices as (
    select *, cast(round(price * rate, 2) as decimal(14, 2)) as new_price
    from typed
    where total = quantity * price - discount
),
discounts as (
    select
        *,
        case
            when total = 0 then quantity * new_price
            else least(round(discount * rate, 2), quantity * new_price)
        end as new_discount
    from prices
)
select
    row,
    transaction_id,
    item_id,
    total,
    new_price,
    cast(new_discount as decimal(18, 2)) as new_discount,
    cast(quantity * new_price - new_discount as decimal(18, 2)) as new_total
from discounts;

update feed_transaction_items as items
set
    unit_price = {_text("new.new_price")},
    discount_amount = {_text("new.new_discount")},
    line_total = {_text("new.new_total")}
from _converted_lines as new
where items.rowid = new.row
"""

_ORDERS = f"""
with sums as (
    select transaction_id, sum(total) as total, sum(new_total) as new_total
    from _converted_lines
    group by transaction_id
),
orders as (
    select
        orders.rowid as row,
        case
            when {_cents("orders.total_amount")} = coalesce(sums.total, 0) then coalesce(sums.new_total, 0)
            else round({_cents("orders.total_amount")} * order_rates.rate, 2)
        end as total
    from feed_transactions as orders
    inner join _order_rates as order_rates on orders.transaction_id = order_rates.transaction_id
    left join sums on orders.transaction_id = sums.transaction_id
    where orders.currency is not null
)
update feed_transactions as orders
set total_amount = coalesce({_text("new.total")}, orders.total_amount), currency = null
from orders as new
where orders.rowid = new.row
"""

# At the rate of the sale, and a refund of a whole line is that line to the cent.
_RETURNS = f"""
with lines as (
    select transaction_id, item_id, min(total) as total, min(new_total) as new_total
    from _converted_lines
    group by all
),
refunds as (
    select
        returns.rowid as row,
        case
            when {_cents("returns.refund_amount")} = lines.total then lines.new_total
            else round({_cents("returns.refund_amount")} * order_rates.rate, 2)
        end as refund
    from feed_returns as returns
    inner join _order_rates as order_rates on returns.transaction_id = order_rates.transaction_id
    left join lines on returns.transaction_id = lines.transaction_id and returns.item_id = lines.item_id
)
update feed_returns as returns
set refund_amount = {_text("new.refund")}
from refunds as new
where returns.rowid = new.row and new.refund is not null
"""

# A price needs a rate, or no order of the product could be kept: where its day has none, the nearest one. A cost would
# enter the profit: it needs the rate of its day, or is unknown.
_PRODUCTS = f"""
with dated as (
    select rowid as row, currency, price, cost, coalesce(day, date '2000-01-01') as day
    from feed_products
    where currency is not null
),
images as (
    select
        dated.*,
        coalesce(earlier.rate, later.rate) as rate,
        case when dated.day - earlier.day <= {OLDEST} then earlier.rate end as rate_of_day
    from dated
    asof left join _rates as earlier on dated.currency = earlier.currency and dated.day >= earlier.day
    asof left join _rates as later on dated.currency = later.currency and dated.day <= later.day
)
update feed_products as products
set
    price = coalesce({_text(f"round({_cents('new.price')} * new.rate, 2)")}, products.price),
    cost = case
        when {_cents("new.cost")} is null then products.cost
        else coalesce({_text(f"round({_cents('new.cost')} * new.rate_of_day, 2)")}, '')
    end,
    currency = null
from images as new
where products.rowid = new.row and new.rate is not null
"""
