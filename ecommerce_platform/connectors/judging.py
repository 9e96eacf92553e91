"""Judges what a connector makes of a shop's files before anything is loaded: what would be rejected, and why.

The values of single rows are judged as those of landed files are (:mod:`..feeds.folder_check`); here is what needs the
feeds beside each other. The final decision is the database's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal

from ecommerce_platform.connectors.currencies import PRICED
from ecommerce_platform.connectors.loading import Loaded
from ecommerce_platform.connectors.matching import told_of
from ecommerce_platform.connectors.queries import Outputs
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.money import currency

LONG_GAP = 366
"""Days without an order after which an early order is taken for a misprint."""


@dataclass(frozen=True)
class Finding:
    """Rows of a feed that the platform will reject or keep waiting, or that need a look, for one reason.

    Attributes:
        feed: the feed.
        rows: how many.
        reason: why.
        example: the identifier of one of them.
    """

    feed: str
    rows: int
    reason: str
    example: str


@dataclass(frozen=True)
class Judgement:
    """What the feeds of a connector hold.

    Attributes:
        files: what became of each file.
        ignored: names of files, and of sheets of files, that the connector does not read, and why.
        first_day: the first day with an order.
        last_day: the last day of any feed.
        rows: the rows of each feed.
        revenue: the sum of all line totals, as text with two decimals.
        refunds: the sum of all refunds, as text with two decimals.
        currency: the reporting currency, in which these are; amounts without a rate are not among them.
        guests: orders without a customer.
        left_out: what is deliberately not in the feeds, with numbers.
        findings: what will be rejected, beside single values.
        gap: the first day, if the next order is only after a long time.
    """

    files: Sequence[Loaded]
    ignored: Mapping[str, str]
    first_day: dt.date
    last_day: dt.date
    rows: dict[str, int]
    revenue: str
    refunds: str
    currency: str
    guests: int
    left_out: Sequence[tuple[str, int]]
    findings: Sequence[Finding]
    gap: dt.date | None

    def lines(self) -> Iterator[str]:
        """The report as text for a terminal, without what single values say."""
        for each in self.files:
            match, notes = each.match, []
            if each.encoding not in (None, "utf-8"):
                notes.append(f"read as {each.encoding}")
            if each.format is not None:
                notes.append(f"dates as {each.format}")
            if each.untyped:
                notes.append(f"{each.untyped:,} rows without a date that can be read")
            name = match.file.path.name + ("" if match.file.sheet is None else f", sheet {match.file.sheet!r}")
            yield f"{name}: {match.role}, {', '.join([f'{each.rows:,} rows', *notes])}"
        yield from told_of(self.ignored)
        rows = ", ".join(f"{rows:,} {feed}" for feed, rows in self.rows.items())
        yield f"{self.first_day} to {self.last_day}: {rows}"
        revenue, refunds = (currency(self.currency).text(Decimal(sum_)) for sum_ in (self.revenue, self.refunds))
        sums = f"revenue {revenue}, refunds {refunds} ({self.currency})"
        yield f"{sums}, {self.guests:,} orders without a customer (guests)"
        yield from (f"left out: {rows:,} {reason}" for reason, rows in self.left_out)
        yield from (
            f"{each.feed}: {each.rows:,} rows {each.reason}, such as {each.example!r}" for each in self.findings
        )
        if self.gap is not None:
            yield (
                f"the next order after the first ({self.first_day}) is of {self.gap}: if the first is a misprint, set"
                f" ECOMMERCE_FIRST_DAY={self.gap}"
            )

    def to_json(self) -> dict[str, object]:
        """As plain JSON."""
        return {
            "files": [
                {
                    "file": str(each.match.file.path),
                    "sheet": each.match.file.sheet,
                    "role": each.match.role,
                    "rows": each.rows,
                    "encoding": each.encoding,
                    "format": each.format,
                    "untyped": each.untyped,
                }
                for each in self.files
            ],
            "ignored": list(self.ignored),
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "rows": self.rows,
            "revenue": self.revenue,
            "refunds": self.refunds,
            "currency": self.currency,
            "guests": self.guests,
            "left_out": [{"reason": reason, "rows": rows} for reason, rows in self.left_out],
            "findings": [asdict(finding) for finding in self.findings],
            "gap": self.gap.isoformat() if self.gap else None,
        }


def judge(outputs: Outputs, files: Sequence[Loaded], ignored: Mapping[str, str]) -> Judgement:
    """Look at the feeds of a connector as a whole."""
    first, last = outputs.days() or (dt.date.min, dt.date.min)
    second = outputs.value(f"select min(day) from feed_transactions where day > date '{first}'")
    returns = "returns" in outputs.feeds
    opened = dict.fromkeys(each.match.file for each in files)
    sheets = {f"{file.path.name}, sheet {name!r}": "no header fits" for file in opened for name in file.skipped}
    return Judgement(
        files=files,
        ignored={**ignored, **sheets},
        first_day=first,
        last_day=last,
        rows={feed: outputs.rows(feed) for feed in outputs.feeds},
        revenue=_sum(outputs, "feed_transaction_items", "line_total"),
        refunds=_sum(outputs, "feed_returns", "refund_amount") if returns else "0.00",
        currency=outputs.currency,
        guests=outputs.value("select count(*) from feed_transactions where coalesce(trim(customer_id), '') = ''"),
        left_out=outputs.left_out(),
        findings=list(_findings(outputs)),
        gap=second if second and (second - first).days > LONG_GAP else None,
    )


def _sum(outputs: Outputs, table: str, column: str) -> str:
    amounts = f"select coalesce(sum(try_cast({column} as decimal(18, 2))), 0.00) from {table}"
    foreign = "select transaction_id from feed_transactions where currency is not null and transaction_id is not null"
    return str(outputs.value(f"{amounts} where coalesce(transaction_id, '') not in ({foreign})"))


_PARENTS = (
    (
        "transactions",
        "transaction_id",
        "customer_id",
        "customers",
        "customer_id",
        "name a customer that no row describes",
    ),
    ("transaction_items", "item_id", "transaction_id", "transactions", "transaction_id", "have no order"),
    ("transaction_items", "item_id", "product_id", "products", "product_id", "name a product that no row describes"),
    (
        "returns",
        "return_id",
        "item_id",
        "transaction_items",
        "item_id",
        "have no order line, and wait among the rejected rows",
    ),
)


def _findings(outputs: Outputs) -> Iterator[Finding]:
    yield from (Finding(*found) for found in outputs.findings())
    for feed, key, column, parent, parent_key, reason in _PARENTS:
        if feed in outputs.feeds:
            rows, example = outputs.row(
                f"select count(*), min({key}) from feed_{feed} where coalesce({column}, '') <> ''"
                f" and {column} not in (select {parent_key} from feed_{parent} where {parent_key} is not null)"
            )
            if rows:
                yield Finding(feed, rows, reason, str(example))
    for feed in PRICED:
        found = outputs.database.execute(
            f"select currency, count(*), min(day), min({FEEDS[feed][0]}) from feed_{feed} where currency is not null"
            " group by currency order by currency"
        ).fetchall()
        for code, rows, day, example in found:
            reason = (
                f"have no rate from {code} to {outputs.currency}, the first for {day}: add rates to ECOMMERCE_RATES"
            )
            yield Finding(feed, rows, reason, str(example))
    for feed in outputs.feeds:
        key = FEEDS[feed][0]
        if feed in ("customers", "products"):
            continue
        rows, example = outputs.row(
            f"select coalesce(sum(n - 1), 0), min(k) from"
            f" (select {key} as k, count(*) as n from feed_{feed} group by 1) where n > 1"
        )
        if rows:
            yield Finding(feed, int(rows), f"repeat a {key}; one of each counts", str(example))
    rows, example = outputs.row(
        "select count(*), min(item_id) from feed_transaction_items where try_cast(quantity as integer) <= 0"
    )
    if rows:
        yield Finding("transaction_items", rows, "have a quantity of 0 or less, and are no returns", str(example))
