"""Which connector fits some files, or the draft of a new one with the columns that are recognized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecommerce_platform.connectors.connector import Connector
from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform.connectors.matching import Match, match_file, why_not
from ecommerce_platform.connectors.source_files import SourceFile, is_export, look_at, normal
from ecommerce_platform.files import printable

SYNONYMS: Mapping[str, Sequence[str]] = {
    "transaction_id": (
        "order id",
        "order",
        "order number",
        "order no",
        "invoice",
        "invoice no",
        "invoice number",
        "sale id",
    ),
    "moment": (
        "order date",
        "date",
        "created at",
        "purchase date",
        "invoice date",
        "timestamp",
        "order time",
        "datetime",
    ),
    "customer_id": ("customer", "customer number", "customer no", "client id", "user id", "buyer id", "account id"),
    "email": ("email", "e mail", "email address", "customer email", "billing email"),
    "product_id": ("sku", "product", "product code", "item code", "article", "asin", "stock code", "article number"),
    "product_name": ("title", "description", "item name", "product title", "name"),
    "category": ("category", "product category", "department", "product type"),
    "quantity": ("qty", "quantity", "units", "pieces", "amount ordered"),
    "unit_price": ("price", "unit price", "item price", "price per unit", "sale price"),
    "discount_amount": ("discount", "discount amount"),
    "payment_method": ("payment method", "payment", "payment type"),
    "country": ("country", "billing country", "ship country", "shipping country", "country code"),
    "state": ("state", "billing state", "ship state", "province", "region"),
    "city": ("city", "billing city", "ship city", "shipping city"),
}
"""What other shops call the columns that a connector needs."""

NEEDED = ("transaction_id", "moment", "product_id", "quantity", "unit_price")


@dataclass(frozen=True)
class Guess:
    """How a connector fits some files.

    Attributes:
        connector: the connector.
        matches: the files that it reads, and as what.
        missing: kinds of files that it needs and that are not among them.
        faults: what keeps a file from fitting, one line each.
        ignored: names of files that it does not read, and why.
    """

    connector: Connector
    matches: Sequence[Match]
    missing: Sequence[str]
    faults: Sequence[str]
    ignored: Mapping[str, str]

    @property
    def score(self) -> tuple[int, int, int]:
        """For sorting: complete before incomplete, then by files, then by columns."""
        columns = sum(len(match.columns) for match in self.matches)
        return (not self.missing and not self.faults, len(self.matches), columns)


def guess(connectors: Sequence[Connector], paths: Sequence[Path]) -> list[Guess]:
    """The connectors that read at least one of the files or nearly do, the best first."""
    found = []
    files = [path for path in paths if is_export(path)]
    for connector in connectors:
        faults: list[ConnectorError] = []
        matches = [match for path in files if (match := match_file(connector, path, faults)) is not None]
        missing = [
            name
            for name, role in connector.files.items()
            if not role.is_optional and not any(match.role == name for match in matches)
        ]
        if matches or faults:
            read = [match.file.path for match in matches]
            ignored = {path.name: why_not(connector, path) for path in paths if path not in read}
            found.append(Guess(connector, matches, missing, [str(fault) for fault in faults], ignored))
    return sorted(found, key=lambda each: each.score, reverse=True)


def recognized(file: SourceFile) -> dict[str, str]:
    """The columns of a file that a draft can use: what they mean, and their header."""
    by_name = {normal(header): header for header in reversed(file.header) if header}
    found = {}
    for meaning, names in SYNONYMS.items():
        header = next((by_name[normal(name)] for name in (meaning, *names) if normal(name) in by_name), None)
        if header is not None and header not in found.values():
            found[meaning] = header
    return found


def draft(path: Path, folder: Path) -> dict[str, str]:
    """Write a new connector for a file of order lines into a new folder; return the columns that it recognizes.

    Raises:
        ConnectorError: the folder exists, or a column without which there are no sales is not recognized.
    """
    file = look_at(path)
    columns = recognized(file)
    missing = [meaning for meaning in NEEDED if meaning not in columns]
    if missing:
        raise ConnectorError(
            str(path),
            f"no column is recognized as {', '.join(missing)}; the file has {', '.join(map(repr, file.header[:40]))}",
            "copy a shipped connector and name the columns yourself: docs/connectors/README.md",
        )
    if folder.exists():
        raise ConnectorError(str(folder), "the folder exists", "choose another one with --draft FOLDER")
    folder.mkdir(parents=True)
    for name, text in {"connector.toml": _toml(path, columns), "lines.sql": _lines(columns), **_FEED_SQL}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return columns


def _toml(path: Path, columns: Mapping[str, str]) -> str:
    def listed(names: Sequence[str]) -> str:
        return "\n".join(f"{_column(name)} = {_toml_text(columns[name])}" for name in names)

    optional = [name for name in columns if name not in NEEDED]
    return f"""title = {_toml_text(f"A shop's order lines, drafted from {path.name}")}
kind = "snapshot"
# The shop's time zone, if moments have offsets or are written in another one; the currency of all amounts.
# time_zone = "Europe/Berlin"
# currency = "EUR"
steps = ["lines"]

[files.exports]
pattern = ["*{"".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix}"]
moment = "ordered_at"
# Formats of ordered_at besides 2024-01-31 12:30:00.
formats = ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%d.%m.%Y %H:%M", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y"]
key = "transaction_id"

[files.exports.required]
{listed(NEEDED)}

[files.exports.optional]
{listed(optional)}
"""


def _column(meaning: str) -> str:
    return "ordered_at" if meaning == "moment" else meaning


def _toml_text(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(quoted)}"'


def _lines(columns: Mapping[str, str]) -> str:
    customer = "customer_id" if "customer_id" in columns else "null"
    if "email" in columns:
        customer = f"coalesce({customer}, anonymous_id(email))" if "customer_id" in columns else "anonymous_id(email)"
    discount = "coalesce(amount(discount_amount), 0)" if "discount_amount" in columns else "0"
    others = ("product_name", "category", "payment_method", "country", "state", "city", "email")
    optional = "\n".join(f"    {name if name in columns else 'null'} as {name}," for name in others)
    return f"""-- One row per order line, typed. A negative quantity is a return.
select
    transaction_id,
    product_id,
    {customer} as customer,
{optional}
    ordered_at,
    quantity as quantity_text,
    unit_price as price_text,
    whole(quantity) as quantity,
    cast(amount(unit_price) as decimal(18, 2)) as price,
    cast({discount} as decimal(18, 2)) as discount,
    transaction_id || '/' || product_id || '/' || row_number() over (
        partition by transaction_id, product_id
        order by quantity, unit_price, ordered_at
    ) as line_id,
    min(moment) over (partition by transaction_id) as order_moment,
    cast(order_moment as date) as day
from exports
"""


_FEED_SQL = {
    "customers.sql": """-- One row per customer, on the day of the first order.
select
    customer as customer_id,
    '' as first_name,
    '' as last_name,
    max(email) as email,
    '' as phone,
    '' as date_of_birth,
    '' as street_address,
    arg_min(city, order_moment) as city,
    coalesce(state_code(arg_min(state, order_moment)), '') as state,
    '' as postal_code,
    country_code(arg_min(country, order_moment)) as country,
    min(day) as registered_on,
    min(order_moment) as updated_at,
    min(day) as day
from lines
where customer is not null and order_moment is not null
group by customer
""",
    "products.sql": """-- One row per product, on the day of its first sale.
select
    product_id,
    coalesce(
        mode(product_name order by product_name) filter (product_name is not null),
        product_id
    ) as product_name,
    coalesce(max(category), 'Unknown') as category,
    '' as sub_category,
    '' as brand,
    coalesce(money(mode(price order by price) filter (price > 0)), '0.00') as price,
    '' as cost,
    '' as stock_quantity,
    '' as supplier_id,
    min(order_moment) as updated_at,
    min(day) as day
from lines
where order_moment is not null
group by product_id
""",
    "transactions.sql": """-- One row per order.
select
    transaction_id,
    max(customer) as customer_id,
    coalesce(cast(min(day) as varchar), max(ordered_at)) as transaction_date,
    strftime(min(order_moment), '%H:%M:%S') as transaction_time,
    coalesce(max(payment_method), 'Unknown') as payment_method,
    '' as shipping_address,
    max(city) as shipping_city,
    state_code(max(state)) as shipping_state,
    money(coalesce(sum(quantity * price - discount), 0)) as total_amount,
    min(day) as day
from lines
where not coalesce(quantity < 0, false)
group by transaction_id
""",
    "transaction_items.sql": """-- One row per order line.
select
    line_id as item_id,
    transaction_id,
    product_id,
    coalesce(cast(quantity as varchar), quantity_text) as quantity,
    coalesce(money(price), price_text) as unit_price,
    money(discount) as discount_amount,
    money(quantity * price - discount) as line_total,
    day
from lines
where not coalesce(quantity < 0, false)
""",
    "returns.sql": """-- One row per line with a negative quantity, and the line of its order that it reverses.
select
    back.line_id as return_id,
    back.transaction_id,
    coalesce(min(sold.line_id), min(back.line_id)) as item_id,
    back.day as returned_on,
    -back.quantity as quantity,
    money(-back.quantity * back.price) as refund_amount,
    'Returned' as reason,
    back.day
from lines as back
left join lines as sold
    on back.transaction_id = sold.transaction_id
    and back.product_id = sold.product_id
    and sold.quantity >= -back.quantity
where back.quantity < 0
group by all
""",
}
