"""An independent model: the expected contents of production and the warehouse, computed in plain Python.

The model follows the design document, not the SQL. It is small and slow, and it computes everything from the rows of
the loaded files at once, so nothing can depend on the load order. Its results can be compared with the rows of the
statements in ``SELECTS``.

- A row is valid if all its values are valid. An invalid row has no effect except its rejection. A valid row is also
  rejected for as long as its parent is missing: an order needs its customer; a line needs its order and its product; a
  return needs its line.
- An image is valid from the day of its ``updated_at``, but no later than the day of its file. If several images are
  valid from the same day, the one with the greatest (updated_at, day of the file, row) counts.
- Blank is unknown: an order without a customer is a guest's, and is in no segment and counts no customer; a cost is
  unknown, and so is the profit of its lines; a category or payment method is Unknown.
- An identifier is any text of 1 to 200 characters. A positive integer without leading zeros (of at most 14 digits for
  customers and products, 18 for others) is its own key. The key of another text is negative, from its MD5.
- If an order is exported several times, the export with the greatest (day of the file, row) counts.
- The base of an order is the latest day that exports both the order and lines of it. Lines of earlier days are
  superseded; among the remaining exports of a line, the one with the greatest (day of the file, row) counts.
- A return needs its order line. If it is exported several times, the export with the greatest (day of the file, row)
  counts. It has the sale date, customer, product, and payment method of its sale.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations, groupby, pairwise
from typing import Any

from ecommerce_platform.feeds.columns import FEEDS

Files = Mapping[dt.date, Mapping[str, Sequence[Mapping[str, str] | str]]]
"""The rows of each feed and loaded day; a row that cannot be split into columns is represented by its text."""

Content = dict[str, Counter[tuple]]
"""The rows of each table, and how often each occurs."""

EPOCH = dt.date(2000, 1, 1)
BLANK = "".join(filter(str.isspace, map(chr, range(0x110000)))) + "\u180e\u200b\u200c\u200d\u2060\ufeff"
"""Characters that are stripped from both ends of a value: white space and zero-width characters."""

SELECTS = {
    "identifiers": """
        select entity, identifier, key
        from production.identifiers
    """,
    "customers": """
        select customer_id, city, state, date_of_birth, valid_from, partition_date, source_row
        from production.customers
    """,
    "customer_versions": """
        select customer_id, valid_from, city, state, date_of_birth, partition_date, source_row
        from production.customer_versions
    """,
    "products": """
        select product_id, category, price, cost, valid_from, partition_date, source_row
        from production.products join production.product_categories using (category_id)
    """,
    "product_versions": """
        select product_id, valid_from, category, price, cost, partition_date, source_row
        from production.product_versions join production.product_categories using (category_id)
    """,
    "product_categories": """
        select category, sub_category
        from production.product_categories
    """,
    "payment_methods": """
        select payment_method
        from production.payment_methods
    """,
    "transactions": """
        select transaction_id, customer_id, transaction_date, payment_method, partition_date, source_row
        from production.transactions join production.payment_methods using (payment_method_id)
    """,
    "transaction_items": """
        select transaction_id, item_id, product_id, quantity, line_total, partition_date, source_row
        from production.transaction_items
    """,
    "returns": """
        select transaction_id, return_id, item_id, returned_on, quantity, refund_amount, reason, partition_date,
            source_row
        from production.returns
    """,
    "rejected_rows": """
        select feed, partition_date, source_row, (select string_agg(split_part(r, ':', 1), ', ' order by
            split_part(r, ':', 1)) from unnest(reasons) as r), missing_customer_id,
            missing_transaction_id, missing_product_id, missing_item_id
        from production.rejected_rows
    """,
    "loaded_days": """
        select feed, partition_date, rows_in_file
        from production.loaded_days
    """,
    "dim_customer": """
        select customer_id, customer_key, customer_code, valid_from, nullif(valid_to, 'infinity'), is_current, city,
            state, age_group, segment
        from warehouse.dim_customer
        where customer_key <> 0
    """,
    "dim_product": """
        select product_id, product_key, product_code, valid_from, nullif(valid_to, 'infinity'), is_current, category,
            price, cost, price_range, stock_quantity, stock_date
        from warehouse.dim_product
        where product_key <> 0
    """,
    "dim_payment": """
        select payment_method
        from warehouse.dim_payment
        where payment_key <> 0
    """,
    "fact_sales": """
        select transaction_id, item_id, sale_date, customer_id, customer_key, product_id, product_key,
            payment_method, quantity, discount_amount, revenue, cost, profit, partition_date
        from warehouse.fact_sales join warehouse.dim_payment using (payment_key)
    """,
    "agg_daily_sales": """
        select sale_date, orders, guest_orders, customers, lines, units, discount, revenue, costed_revenue, cost,
            profit, large_orders
        from warehouse.agg_daily_sales
    """,
    "fact_returns": """
        select transaction_id, return_id, item_id, return_date, sale_date, customer_id, customer_key, product_id,
            product_key, payment_method, quantity, refund_amount, reason, partition_date
        from warehouse.fact_returns join warehouse.dim_payment using (payment_key)
    """,
    "agg_daily_returns": """
        select return_date, sale_date, return_count, orders, returned_units, returns
        from warehouse.agg_daily_returns
    """,
    "mart_product_returns": """
        select month_start, product_id, product_key, return_count, returned_units, returns
        from warehouse.mart_product_returns
    """,
    "mart_daily_breakdown": """
        select sale_date, breakdown, member, orders, lines, units, discount, revenue, costed_revenue, cost, profit
        from warehouse.mart_daily_breakdown
    """,
    "mart_product_pairs": """
        select sale_date, product_id, other_product_id, orders
        from warehouse.mart_product_pairs
    """,
    "agg_product_performance": """
        select product_id, first_sale_date, last_sale_date, orders, units, discount, revenue, costed_revenue, cost,
            profit, profit_margin
        from warehouse.agg_product_performance
    """,
    "agg_customer_metrics": """
        select customer_id, first_order_date, last_order_date, orders, units, revenue, costed_revenue, cost, profit,
            average_order_value, lifespan_years
        from warehouse.agg_customer_metrics
    """,
    "mart_daily_repeats": """
        select sale_date, interval_days, orders
        from warehouse.mart_daily_repeats
    """,
}
"""The tables that the model covers, each with a SELECT of the columns that it computes."""


@dataclass(frozen=True)
class Expected:
    """The expected table contents, and the number of rows per file that were dropped as duplicates or superseded."""

    content: Content
    duplicates: dict[tuple[str, dt.date], int]


class Faulty(ValueError):
    """An invalid field; ``value`` is set if the field can be read nevertheless."""

    def __init__(self, text: str, value: Any = None):
        super().__init__(text)
        self.value = value


# ---- one field -----------------------------------------------------------------------------------


def whole(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,17}", text):
        raise Faulty(text)
    return int(text)


def key_of(text: str, *, digits: int = 18, bits: int = 56) -> int:
    """The key of an identifier, if no other text has its hash."""
    if not 1 <= len(text) <= 200:
        raise Faulty(text)
    if re.fullmatch(rf"[1-9][0-9]{{0,{digits - 1}}}", text):
        return int(text)
    number = int.from_bytes(hashlib.md5(text.encode()).digest()[:7])
    return -16 * (1 + (number >> (56 - bits)))


def short_key_of(text: str) -> int:
    return key_of(text, digits=14, bits=42)


def date(text: str) -> dt.date:
    if not re.fullmatch(r"(19|20)\d\d-\d\d-\d\d", text):
        raise Faulty(text)
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise Faulty(text) from None


def moment(text: str) -> dt.datetime:
    date(text[:10])
    try:
        parsed = dt.datetime.fromisoformat(text)
    except ValueError:
        raise Faulty(text) from None
    return parsed.astimezone(dt.UTC) if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def amount(text: str) -> Decimal:
    if not re.fullmatch(r"-?\d{1,10}([.]\d{1,2})?", text):
        raise Faulty(text)
    return not_below(0, Decimal(text))


def pieces(text: str, least: int = 1) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise Faulty(text)
    return not_below(least, int(text))


def pieces_or_none(text: str) -> int:
    return pieces(text, 0)


def not_below(least: int, value: Any) -> Any:
    if value < least:
        raise Faulty(str(value), value)
    return value


def given(text: str) -> str:
    if not text:
        raise Faulty(text)
    return text


def matching(pattern: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text.upper()):
            raise Faulty(text)
        return text.upper()

    return parse


def or_nothing(parse: Callable[[str], Any], nothing: Any = None) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else nothing


FIELDS: dict[str, dict[str, Callable[[str], Any]]] = {
    "customers": {
        "customer_id": short_key_of,
        "date_of_birth": or_nothing(date),
        "city": or_nothing(str),
        "state": or_nothing(matching("[A-Z0-9]{1,3}")),
        "country": matching("[A-Z]{2}"),
        "registered_on": date,
        "updated_at": moment,
    },
    "products": {
        "product_id": short_key_of,
        "product_name": given,
        "category": or_nothing(str, "Unknown"),
        "sub_category": str,
        "brand": str,
        "price": amount,
        "cost": or_nothing(amount),
        "stock_quantity": or_nothing(int),
        "supplier_id": or_nothing(whole),
        "updated_at": moment,
    },
    "transactions": {
        "transaction_id": key_of,
        "customer_id": or_nothing(short_key_of),
        "transaction_date": date,
        "transaction_time": or_nothing(dt.time.fromisoformat),
        "payment_method": or_nothing(str, "Unknown"),
        "total_amount": amount,
    },
    "transaction_items": {
        "item_id": key_of,
        "transaction_id": key_of,
        "product_id": short_key_of,
        "quantity": pieces,
        "unit_price": amount,
        "discount_amount": or_nothing(amount, Decimal(0)),
        "line_total": amount,
    },
    "returns": {
        "return_id": key_of,
        "transaction_id": key_of,
        "item_id": key_of,
        "returned_on": date,
        "quantity": pieces_or_none,
        "refund_amount": amount,
        "reason": or_nothing(str),
    },
}


IDENTIFIERS = tuple(f"{entity}_id" for entity in ("customer", "product", "transaction", "item", "return"))


def typed(feed: str, day: dt.date, number: int, row: Mapping[str, str] | str) -> dict[str, Any]:
    """Return the values of a row by column, and the names of the invalid columns under ``faults``."""
    values: dict[str, Any] = {"day": day, "row": number, "place": (day, number), "faults": []}
    if isinstance(row, str):
        return {**values, "faults": ["row"]}
    for name, parse in FIELDS[feed].items():
        try:
            values[name] = parse(row[name].strip(BLANK))
            if name in IDENTIFIERS:
                values[name.replace("_id", "_code")] = row[name].strip(BLANK)
        except ValueError as error:
            values["faults"].append(name)
            if getattr(error, "value", None) is not None:
                values[name] = error.value  # type: ignore[attr-defined]
    if row.get("currency", "").strip(BLANK) not in ("", "USD"):
        values["faults"].append("currency")
    if feed == "transactions" and values.get("transaction_date", day) > day:
        values["faults"].append("transaction_date")
    if feed == "returns" and values.get("returned_on", day) > day:
        values["faults"].append("returned_on")
    if feed == "transaction_items" and {"quantity", "unit_price", "discount_amount", "line_total"} <= values.keys():
        total = values["quantity"] * values["unit_price"] - values["discount_amount"]
        if values["line_total"] != total and "line_total" not in values["faults"]:
            values["faults"].append("line_total")
    if "updated_at" in values:
        values["valid_from"] = min(values["updated_at"].date(), day)
        values["age"] = (values["updated_at"], day, number)
    return values


# ---- the shop ------------------------------------------------------------------------------------


def expect(files: Files) -> Expected:
    """Return the expected contents of the platform when exactly these files are loaded."""
    rows = {
        feed: [
            typed(feed, day, number, row)
            for day, feeds in files.items()
            for number, row in enumerate(feeds.get(feed, ()), 1)
        ]
        for feed in FEEDS
    }
    good = {feed: [row for row in rows[feed] if not row["faults"]] for feed in FEEDS}
    rejected = [(feed, row, row["faults"], {}) for feed in FEEDS for row in rows[feed] if row["faults"]]

    versions = {
        feed: best(good[feed], lambda row, key=key: (row[key], row["valid_from"]), lambda row: row["age"])
        for feed, key in (("customers", "customer_id"), ("products", "product_id"))
    }
    known_customers = {row["customer_id"] for row in good["customers"]}
    known_products = {row["product_id"] for row in good["products"]}

    headers = [row for row in good["transactions"] if row["customer_id"] in {None, *known_customers}]
    rejected += [
        ("transactions", row, ["customer_id"], {"customer": row["customer_id"]})
        for row in good["transactions"]
        if row["customer_id"] not in {None, *known_customers}
    ]
    orders = best(headers, lambda row: row["transaction_id"], lambda row: row["place"])

    eligible = []
    for row in good["transaction_items"]:
        missing = {}
        if row["transaction_id"] not in orders:
            missing["transaction"] = row["transaction_id"]
        if row["product_id"] not in known_products:
            missing["product"] = row["product_id"]
        if missing:
            rejected.append(("transaction_items", row, [f"{name}_id" for name in missing], missing))
        else:
            eligible.append(row)
    exported = {(row["transaction_id"], row["day"]) for row in headers}
    base: dict[int, dt.date] = {}
    for row in eligible:
        order, day = row["transaction_id"], row["day"]
        if (order, day) in exported:
            base[order] = max(base.get(order, day), day)
    lines = best(
        [row for row in eligible if row["day"] >= base.get(row["transaction_id"], dt.date.min)],
        lambda row: (row["transaction_id"], row["item_id"]),
        lambda row: row["place"],
    )
    line_returns = []
    for row in good["returns"]:
        if (row["transaction_id"], row["item_id"]) in lines:
            line_returns.append(row)
        elif row["transaction_id"] in orders:
            rejected.append(("returns", row, ["item_id"], {"item": row["item_id"]}))
        else:
            rejected.append(("returns", row, ["transaction_id"], {"transaction": row["transaction_id"]}))
    returns = best(line_returns, lambda row: (row["transaction_id"], row["return_id"]), lambda row: row["place"])

    kept = {
        "customers": versions["customers"],
        "products": versions["products"],
        "transactions": orders,
        "transaction_items": lines,
        "returns": returns,
    }
    duplicates = {
        (feed, day): len(of_file)
        - sum(row["day"] == day for row in kept[feed].values())
        - sum(name == feed and row["day"] == day for name, row, _, _ in rejected)
        for day, feeds in files.items()
        for feed, of_file in feeds.items()
    }
    named = {
        (name.removesuffix("_id"), row[name.replace("_id", "_code")], row[name])
        for of_feed in rows.values()
        for row in of_feed
        for name in IDENTIFIERS
        if (row.get(name) or 1) < 0
    }
    content = {"identifiers": named, **production(kept, good, rejected, files), **warehouse(kept, good)}
    return Expected({table: Counter(rows) for table, rows in content.items()}, duplicates)


def best(rows: Iterable[dict], key: Callable, rank: Callable) -> dict[Any, dict]:
    """Return the row with the greatest rank for each key."""
    found: dict[Any, dict] = {}
    for row in rows:
        if key(row) not in found or rank(row) > rank(found[key(row)]):
            found[key(row)] = row
    return found


def production(kept: dict, good: dict, rejected: list, files: Files) -> dict[str, Iterable[tuple]]:
    latest = {
        feed: best(good[feed], lambda row, key=key: row[key], lambda row: (row["valid_from"], *row["age"])).values()
        for feed, key in (("customers", "customer_id"), ("products", "product_id"))
    }

    def columns(rows: Iterable[dict], *names: str) -> list[tuple]:
        return [tuple(row[name] for name in names) for row in rows]

    return {
        "customers": columns(
            latest["customers"], "customer_id", "city", "state", "date_of_birth", "valid_from", "day", "row"
        ),
        "customer_versions": columns(
            kept["customers"].values(),
            "customer_id",
            "valid_from",
            "city",
            "state",
            "date_of_birth",
            "day",
            "row",
        ),
        "products": columns(latest["products"], "product_id", "category", "price", "cost", "valid_from", "day", "row"),
        "product_versions": columns(
            kept["products"].values(), "product_id", "valid_from", "category", "price", "cost", "day", "row"
        ),
        "product_categories": set(columns(good["products"], "category", "sub_category")),
        "payment_methods": set(columns(good["transactions"], "payment_method")),
        "transactions": columns(
            kept["transactions"].values(),
            *("transaction_id", "customer_id", "transaction_date", "payment_method", "day", "row"),
        ),
        "transaction_items": columns(
            kept["transaction_items"].values(),
            *("transaction_id", "item_id", "product_id", "quantity", "line_total", "day", "row"),
        ),
        "returns": columns(
            kept["returns"].values(),
            *("transaction_id", "return_id", "item_id", "returned_on", "quantity", "refund_amount", "reason"),
            *("day", "row"),
        ),
        "rejected_rows": [
            (
                *(feed, row["day"], row["row"], ", ".join(sorted(reasons))),
                *(missing.get(parent) for parent in ("customer", "transaction", "product", "item")),
            )
            for feed, row, reasons, missing in rejected
        ],
        "loaded_days": [
            (feed, day, len(feeds[feed])) for day, feeds in files.items() for feed in FEEDS if feeds.get(feed)
        ],
    }


# ---- the star ------------------------------------------------------------------------------------


def warehouse(kept: dict, good: dict) -> dict[str, Iterable[tuple]]:
    lines_of = defaultdict(list)
    for line in kept["transaction_items"].values():
        lines_of[line["transaction_id"]].append(line)
    sold = [(order, lines_of[number]) for number, order in kept["transactions"].items() if lines_of[number]]

    customers = {
        customer_id: customer_history(list(images), [sale for sale in sold if sale[0]["customer_id"] == customer_id])
        for customer_id, images in by(kept["customers"].values(), "customer_id")
    }
    products = {
        product_id: product_history(list(images)) for product_id, images in by(kept["products"].values(), "product_id")
    }
    stock = {
        product_id: max(images, key=lambda image: image["valid_from"])
        for product_id, images in by(kept["products"].values(), "product_id")
    }
    codes = {
        (entity, image[f"{entity}_id"]): image[f"{entity}_code"]
        for entity in ("customer", "product")
        for image in kept[f"{entity}s"].values()
    }
    facts = []
    for order, lines in sold:
        for line in lines:
            is_guest = order["customer_id"] is None
            customer = NOBODY if is_guest else in_force(customers[order["customer_id"]], order["transaction_date"])
            product = in_force(products[line["product_id"]], order["transaction_date"])
            cost = None if product[3] is None else line["quantity"] * product[3]
            facts.append(
                {
                    **line,
                    "sale_date": order["transaction_date"],
                    "customer_id": order["customer_id"],
                    "payment_method": order["payment_method"],
                    "customer_key": 0 if is_guest else version_key(order["customer_id"], customer[0]),
                    "product_key": version_key(line["product_id"], product[0]),
                    "revenue": line["line_total"],
                    "costed_revenue": Decimal(0) if cost is None else line["line_total"],
                    "cost": cost,
                    "profit": None if cost is None else line["line_total"] - cost,
                    "partition_date": max(line["day"], order["day"]),
                    "category": product[1],
                    "state": f"{customer[4]}-{customer[2]}",
                    "segment": customer[5],
                    "discount_band": discount_band(line["discount_amount"], line["quantity"] * line["unit_price"]),
                }
            )
    sales = {(fact["transaction_id"], fact["item_id"]): fact for fact in facts}
    returns = [
        {
            **sales[row["transaction_id"], row["item_id"]],
            **{name: row[name] for name in ("return_id", "quantity", "refund_amount")},
            "return_date": row["returned_on"],
            "reason": row["reason"] or "Unknown",
            "partition_date": row["day"],
        }
        for row in kept["returns"].values()
    ]
    return {
        "dim_customer": [
            (*version(customer_id, history, number, codes["customer", customer_id]), city, state, age_group, segment)
            for customer_id, history in customers.items()
            for number, (_, city, state, age_group, _, segment) in enumerate(history)
        ],
        "dim_product": [
            (
                *version(product_id, history, number, codes["product", product_id]),
                category,
                price,
                cost,
                price_range(price),
                *(
                    (stock[product_id]["stock_quantity"], stock[product_id]["valid_from"])
                    if number == len(history) - 1
                    else (None, None)
                ),
            )
            for product_id, history in products.items()
            for number, (_, category, price, cost, *_) in enumerate(history)
        ],
        "dim_payment": {(row["payment_method"],) for row in good["transactions"]},
        "fact_sales": [
            tuple(
                fact[name]
                for name in (
                    *(
                        "transaction_id",
                        "item_id",
                        "sale_date",
                        "customer_id",
                        "customer_key",
                        "product_id",
                        "product_key",
                        "payment_method",
                    ),
                    *("quantity", "discount_amount", "revenue", "cost", "profit", "partition_date"),
                )
            )
            for fact in facts
        ],
        "fact_returns": [
            tuple(
                row[name]
                for name in (
                    *("transaction_id", "return_id", "item_id", "return_date", "sale_date", "customer_id"),
                    *("customer_key", "product_id", "product_key", "payment_method", "quantity", "refund_amount"),
                    *("reason", "partition_date"),
                )
            )
            for row in returns
        ],
        **sums_of_returns(returns),
        **aggregates(facts),
    }


def sums_of_returns(returns: list[dict]) -> dict[str, Iterable[tuple]]:
    def grouped(*names: str) -> list[tuple[Any, list[dict]]]:
        return [(key, list(rows)) for key, rows in by(returns, *names)]

    def sums(rows: list[dict]) -> tuple:
        return sum(row["quantity"] for row in rows), sum(row["refund_amount"] for row in rows)

    for row in returns:
        row["month_start"] = row["sale_date"].replace(day=1)
    return {
        "agg_daily_returns": [
            (*days, len(rows), len({row["transaction_id"] for row in rows}), *sums(rows))
            for days, rows in grouped("return_date", "sale_date")
        ],
        "mart_product_returns": [
            (*key, len(rows), *sums(rows)) for key, rows in grouped("month_start", "product_id", "product_key")
        ],
    }


NOBODY = (EPOCH, "Unknown", "Unknown", "Unknown", "ZZ", "Guest")
"""The version of a customer (see :func:`customer_history`) of orders without one."""


def by(rows: Iterable[dict], *names: str) -> Iterable[tuple[Any, Iterable[dict]]]:
    def key(row: dict) -> Any:
        return row[names[0]] if len(names) == 1 else tuple(row[name] for name in names)

    return groupby(sorted(rows, key=key), key)


def version_key(number: int, valid_from: dt.date) -> int:
    return number * 65536 + (valid_from - EPOCH).days


def version(number: int, history: list[tuple], position: int, code: str) -> tuple:
    """Return ID, key, code, first day, first day after the version, and whether it is current."""
    first = history[position][0]
    last = history[position + 1][0] if position + 1 < len(history) else None
    return number, version_key(number, first), code, first, last, last is None


def in_force(history: list[tuple], day: dt.date) -> tuple:
    return [entry for entry in history if entry[0] <= day][-1]


def changes(history: list[tuple]) -> list[tuple]:
    """Return the entries that differ from the previous entry in more than the day."""
    return [entry for number, entry in enumerate(history) if number == 0 or entry[1:] != history[number - 1][1:]]


def product_history(images: list[dict]) -> list[tuple]:
    images.sort(key=lambda image: image["valid_from"])
    return changes(
        [
            (
                EPOCH if number == 0 else image["valid_from"],
                *(image[name] for name in ("category", "price", "cost", "product_name", "sub_category", "brand")),
            )
            for number, image in enumerate(images)
        ]
    )


def customer_history(images: list[dict], sold: list[tuple[dict, list[dict]]]) -> list[tuple]:
    """Return (first day, city, state, age group, country, segment) of each version."""
    images.sort(key=lambda image: image["valid_from"])

    def segment_on(day: dt.date) -> str:
        until = [lines for order, lines in sold if order["transaction_date"] <= day]
        return segment(len(until), sum(line["line_total"] for lines in until for line in lines))

    purchase_days = {order["transaction_date"] for order, _ in sold}
    # A birthday starts a new version only between the first and the last activity of the customer.
    known_days = {*purchase_days, *(image["valid_from"] for image in images)}
    first_day, last_day = min(known_days), max(known_days)
    days = {EPOCH, *(image["valid_from"] for image in images[1:])}
    days |= {
        day
        for number, image in enumerate(images)
        for day in birthdays(image["date_of_birth"])
        if first_day < day <= last_day
        and (number == 0 or day > image["valid_from"])
        and (number == len(images) - 1 or day < images[number + 1]["valid_from"])
    }
    days |= {day for day in purchase_days if segment_on(day) != segment_on(day - dt.timedelta(days=1))}
    history = []
    for day in sorted(days):
        image = [images[0], *(image for image in images[1:] if image["valid_from"] <= day)][-1]
        # The version that covers the time before the first day carries the age group of the first day.
        age = age_group(image["date_of_birth"], max(day, first_day))
        place = (image["city"] or "Unknown", image["state"] or "Unknown")
        history.append((day, *place, age, image["country"], segment_on(day)))
    return changes(history)


def birthdays(born: dt.date | None) -> set[dt.date]:
    """Return the date of birth and the dates on which the age group changes."""
    if born is None:
        return set()
    return {dt.date(born.year + years, born.month, born.day) for years in (0, 18, 25, 35, 45, 55, 65)}


def segment(orders: int, revenue: Decimal) -> str:
    if orders >= 10 and revenue >= 10_000:
        return "VIP"
    return "Regular" if orders >= 3 else "New"


def age_group(born: dt.date | None, day: dt.date) -> str:
    if born is None or born > day:
        return "Unknown"
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    if years < 18:
        return "Under 18"
    bands = [(25, "18-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64")]
    return next((name for end, name in bands if years < end), "65+")


def price_range(price: Decimal) -> str:
    return "Budget" if price < 25 else "Mid-range" if price < 100 else "Premium"


def discount_band(discount: Decimal, gross: Decimal) -> str:
    if not discount or not gross:
        return "None"
    share = discount / gross
    return "Up to 10%" if share <= Decimal("0.1") else "10% to 20%" if share <= Decimal("0.2") else "Over 20%"


def rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def aggregates(facts: list[dict]) -> dict[str, Iterable[tuple]]:
    def total(rows: list[dict], name: str) -> Any:
        known = [row[name] for row in rows if row[name] is not None]
        return sum(known) if known else None

    def money(rows: list[dict]) -> tuple:
        return tuple(total(rows, name) for name in ("revenue", "costed_revenue", "cost", "profit"))

    def orders(rows: list[dict]) -> int:
        return len({row["transaction_id"] for row in rows})

    def sums(rows: list[dict]) -> tuple:
        return len(rows), total(rows, "quantity"), total(rows, "discount_amount"), *money(rows)

    def span(rows: list[dict]) -> tuple[dt.date, dt.date]:
        days = [row["sale_date"] for row in rows]
        return min(days), max(days)

    def grouped(*names: str, of: list[dict] = facts) -> list[tuple[Any, list[dict]]]:
        return [(key, list(rows)) for key, rows in by(of, *names)]

    def margin(rows: list[dict]) -> Decimal | None:
        costed = total(rows, "costed_revenue")
        return rounded(total(rows, "profit") / costed * 100, 2) if costed else None

    of_customers = [fact for fact in facts if fact["customer_id"] is not None]
    of_guests = [fact for fact in facts if fact["customer_id"] is None]

    return {
        "agg_daily_sales": [
            (
                *(day, orders(rows), orders([row for row in of_guests if row["sale_date"] == day])),
                *(len({row["customer_id"] for row in rows} - {None}), *sums(rows)),
                sum(1 for number in Counter(row["transaction_id"] for row in rows).values() if number > 50),
            )
            for day, rows in grouped("sale_date")
        ],
        "mart_daily_breakdown": [
            (day, name, member, orders(rows), *sums(rows))
            for name in ("category", "payment_method", "segment", "state", "discount_band")
            for (day, member), rows in grouped("sale_date", name)
        ],
        "mart_product_pairs": pairs(facts),
        "agg_product_performance": [
            (
                *(product_id, *span(rows), orders(rows)),
                *(total(rows, "quantity"), total(rows, "discount_amount"), *money(rows)),
                margin(rows),
            )
            for product_id, rows in grouped("product_id")
        ],
        "agg_customer_metrics": [
            (
                *(customer_id, *span(rows), orders(rows), total(rows, "quantity"), *money(rows)),
                rounded(total(rows, "revenue") / orders(rows), 2),
                rounded(max((span(rows)[1] - span(rows)[0]).days / Decimal("365.25"), Decimal(1) / 12), 4),
            )
            for customer_id, rows in grouped("customer_id", of=of_customers)
        ],
        "mart_daily_repeats": repeats(of_customers),
    }


def repeats(facts: list[dict]) -> list[tuple]:
    """Return (day, days since the customer's previous order, orders): an order after another of its customer."""
    found: Counter[tuple[dt.date, int]] = Counter()
    for _, sales in by(facts, "customer_id"):
        orders = {fact["transaction_id"]: fact["sale_date"] for fact in sales}
        days = sorted(orders.values())
        found.update((day, (day - before).days) for before, day in pairwise(days))
    return [(*key, count) for key, count in found.items()]


def pairs(facts: list[dict]) -> list[tuple]:
    """Return (sale date, product, other product, orders) of the last 90 days; orders of over 50 lines have no pairs."""
    found: Counter[tuple] = Counter()
    last_day = max((fact["sale_date"] for fact in facts), default=EPOCH)
    for (sale_date, _), lines in by(facts, "sale_date", "transaction_id"):
        products = [line["product_id"] for line in lines]
        if len(products) <= 50 and (last_day - sale_date).days < 90:
            found.update((sale_date, *pair) for pair in combinations(sorted(set(products)), 2))
    return [(*pair, orders) for pair, orders in found.items()]
