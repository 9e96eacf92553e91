"""Builds a snapshot of the order lines from blocks of them, as they are read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from babel import Locale

from dashboards.app.columns import BLOCK, Column, smallest
from dashboards.app.members import coded, numbers_first
from dashboards.app.snapshot import (
    BUYERS,
    DISCOUNT_BANDS,
    PRICE_RANGES,
    SEGMENTS,
    WEEKDAYS,
    Snapshot,
    months_of,
)
from ecommerce_platform.money import LOCALE

MEASURED = ("revenue", "cost", "discount", "units", "returns", "returned_units")
"""The columns of a line that are added up."""


@dataclass(frozen=True)
class Products:
    """The product versions by their sorted keys, and the kinds of order lines that they make possible."""

    keys: np.ndarray
    item: np.ndarray
    """For each version, a code of its product, category, and price range."""
    kinds: Mapping[str, np.ndarray]
    members: Mapping[str, Sequence[str]]
    names: Mapping[str, str]

    @classmethod
    def of(cls, rows: Sequence[tuple]) -> Products:
        """From rows of key, ID, name, category, and price range, sorted by key."""
        ids = sorted({row[1] for row in rows}, key=numbers_first)
        categories = sorted({row[3] for row in rows})
        items = sorted({(row[1], row[3], row[4]) for row in rows})
        item_code, id_code, category_code = (
            {value: code for code, value in enumerate(v)} for v in (items, ids, categories)
        )
        shape = (len(items), len(DISCOUNT_BANDS), 2)

        def by_kind(values: Sequence[int], axis: int) -> np.ndarray:
            column = np.array(values, smallest(0, len(values)))
            return np.broadcast_to(np.expand_dims(column, [n for n in range(3) if n != axis]), shape).reshape(-1).copy()

        return cls(
            np.array([row[0] for row in rows], np.int64),
            np.array([item_code[row[1], row[3], row[4]] for row in rows], np.int32),
            {
                "product": by_kind([id_code[item[0]] for item in items], 0),
                "category": by_kind([category_code[item[1]] for item in items], 0),
                "price_range": by_kind([PRICE_RANGES.index(item[2]) for item in items], 0),
                "discount_band": by_kind(range(len(DISCOUNT_BANDS)), 1),
                "is_costed": by_kind([0, 1], 2).astype(bool),
            },
            {"product": ids, "category": categories, "price_range": PRICE_RANGES, "discount_band": DISCOUNT_BANDS},
            {row[1]: row[2] for row in rows},
        )

    def kind(self, key: np.ndarray, band: np.ndarray, is_costed: np.ndarray) -> np.ndarray:
        """The kinds of lines, from the keys of their product versions, their bands, and whether their cost is known."""
        item = self.item[np.searchsorted(self.keys, key)]
        return (item * len(DISCOUNT_BANDS) + band) * 2 + is_costed


class Customers:
    """The customer versions by their sorted keys, and the groups of orders that they make possible."""

    def __init__(self, rows: pa.Table):
        """From the columns key, code, state, state_name, region, and segment, sorted by key."""
        self.keys = rows["key"].to_numpy()
        self.ids, self.customer = coded(rows["code"])
        self.states, state = _coded(rows["state"])
        self.regions, region = _coded(rows["region"])
        names, name = _coded(rows["state_name"])
        name_of = np.zeros(len(self.states), np.int64)
        name_of[state] = name
        self.names = {
            "state": {code: names[place] for code, place in zip(self.states, name_of.tolist(), strict=True)},
            "region": {code: Locale.parse(LOCALE).territories.get(code, code) for code in self.regions},
        }
        segments, segment = _coded(rows["segment"])
        segment = np.array([SEGMENTS.index(name) for name in segments], np.uint8)[segment]
        # The places are the states that occur, each with its region.
        places, place = _distinct(state.astype(np.int64) * len(self.regions) + region)
        self.place_state, self.place_region = np.divmod(places, max(1, len(self.regions)))
        self.base = place * len(SEGMENTS) + segment
        """For each version, a code of its place and segment."""
        self.segment = np.zeros(len(self.ids), np.uint8)
        self.segment[self.customer] = segment
        nobody = np.flatnonzero(self.keys == 0)
        self.guest = int(self.customer[nobody[0]]) if len(nobody) else None

    def groups(self, payments: int) -> dict[str, np.ndarray]:
        """The codes of each group's region, state, segment, payment and buyer, for so many payment methods."""
        shape = (len(self.place_state), len(SEGMENTS), payments, len(BUYERS))
        place, segment, payment, buyer = (axis.reshape(-1) for axis in np.indices(shape, np.int32))
        found = {
            "region": self.place_region[place],
            "state": self.place_state[place],
            "segment": segment,
            "payment": payment,
            "buyer": buyer,
        }
        return {name: codes.astype(smallest(0, codes.max(initial=0))) for name, codes in found.items()}


class Builder:
    """Collects the order lines of a snapshot, which come sorted by day and order."""

    def __init__(self, products: Sequence[tuple], customers: pa.Table, payments: Sequence[tuple], length: int):
        """The rows of the dimensions, each sorted by key, and the number of lines that there will be."""
        self._products, self._customers = Products.of(products), Customers(customers)
        self._payment_keys = np.array([row[0] for row in payments], np.int64)
        self._payments = [row[1] for row in payments]
        self._lines = {name: Column(length) for name in ("kind", *MEASURED)}
        self._orders = {name: Column(length + 1) for name in ("first_line", "customer", "group", "key")}
        self._orders["day"] = Column(length, np.int32)  # any date, so that it compares with any date range
        self._length = 0
        self._last_order: int | None = None
        self._first_keys: dict[int, int] = {}

    def add(self, block: Mapping[str, np.ndarray]) -> None:
        """Add the next lines, as the columns of the reader: keys of the dimensions, and money in cents.

        An order can go on in the next block.
        """
        order, cost = block["order"], block["cost"]
        if not len(order):
            return
        is_costed = ~np.isnan(cost)
        self._lines["kind"].append(self._products.kind(block["product"], block["band"], is_costed))
        for name in MEASURED:
            self._lines[name].append(np.where(is_costed, cost, 0.0) if name == "cost" else block[name])
        is_first = np.ones(len(order), bool)
        is_first[1:] = order[1:] != order[:-1]
        is_first[0] = order[0] != self._last_order
        heads = np.flatnonzero(is_first)
        version = np.searchsorted(self._customers.keys, block["customer"][heads])
        payment = np.searchsorted(self._payment_keys, block["payment"][heads])
        self._orders["first_line"].append(heads + self._length)
        self._orders["day"].append(block["day"][heads])
        self._orders["key"].append(self._from_first_of_day(order[heads], block["day"][heads]))
        self._orders["customer"].append(self._customers.customer[version])
        self._orders["group"].append(self._customers.base[version] * len(self._payments) + payment)
        self._length += len(order)
        self._last_order = int(order[-1])

    def snapshot(self, version: str) -> Snapshot:
        """The snapshot of the lines that were added."""
        customers, products = self._customers, self._products
        lines = {name: column.values for name, column in self._lines.items()}
        for name in ("returns", "returned_units"):
            if not lines[name].any():
                lines[name] = np.broadcast_to(np.uint8(0), self._length)  # takes no memory in a shop without returns
        self._orders["first_line"].append(np.array([self._length]))
        day, customer, first_line = (self._orders[name].values for name in ("day", "customer", "first_line"))
        months = months_of(day[[0, -1]]) if len(day) else np.array([0, -1])
        first_month, size = int(months[0]), int(months[1] - months[0]) + 1
        cohort = self._cohorts(first_month, size)
        orders = {
            "first_line": first_line,
            "day": day,
            "customer": customer,
            "group": self._groups(cohort, first_month),
            "revenue": _of_orders(lines["revenue"], first_line),
            "key": self._orders["key"].values,
        }
        month_names = [f"{number // 12}-{number % 12 + 1:02d}" for number in range(first_month, first_month + size)]
        return Snapshot(
            version,
            dt.datetime.now(dt.UTC),
            lines,
            orders,
            products.kinds,
            customers.groups(len(self._payments)),
            {"segment": customers.segment, "cohort": cohort},
            {
                **products.members,
                "region": customers.regions,
                "state": customers.states,
                "segment": SEGMENTS,
                "payment": self._payments,
                "customer": customers.ids,
                "cohort": month_names,
                "buyer": BUYERS,
                "weekday": WEEKDAYS,
                "month": month_names,
            },
            {"product": products.names, **customers.names, "buyer": {name: name.capitalize() for name in BUYERS}},
            first_month,
            customers.guest,
            self._day_keys(),
        )

    def _from_first_of_day(self, key: np.ndarray, day: np.ndarray) -> np.ndarray:
        """The keys of orders, each counted from the first of its day; shops mostly number orders in succession."""
        days, begin = np.unique(day, return_index=True)
        for number, place in zip(days.tolist(), begin.tolist(), strict=True):
            self._first_keys.setdefault(number, int(key[place]))
        first = np.array([self._first_keys[number] for number in days.tolist()], np.int64)
        # Keys of texts can be so far apart that this overflows; so does adding the first again.
        return key - first[np.searchsorted(days, day)]

    def _day_keys(self) -> np.ndarray:
        """The first key of each day from the first to the last, where it has orders."""
        if not self._first_keys:
            return np.zeros(0, np.int64)
        begin, end = min(self._first_keys), max(self._first_keys)
        return np.array([self._first_keys.get(number, 0) for number in range(begin, end + 1)], np.int64)

    def _cohorts(self, first_month: int, size: int) -> np.ndarray:
        """The month of each customer's first order, from 0; the number of months for guests, who are in no cohort."""
        day, customer = self._orders["day"].values, self._orders["customer"].values
        first_day = np.zeros(len(self._customers.ids), np.int32)
        # Write from the last order to the first, so that each customer's first order wins.
        first_day[customer[::-1]] = day[::-1]
        cohort = np.clip(months_of(first_day) - first_month, 0, size).astype(smallest(0, size))
        if self._customers.guest is not None:
            cohort[self._customers.guest] = size
        return cohort

    def _groups(self, cohort: np.ndarray, first_month: int) -> np.ndarray:
        """The groups of the orders: those of their place, segment and payment, with the kind of buyer."""
        base, day, customer = (self._orders[name].values for name in ("group", "day", "customer"))
        result = Column(len(base))
        new, returning, guest = (BUYERS.index(name) for name in ("new", "returning", "guest"))
        for start in range(0, len(base), BLOCK):
            rows = slice(start, start + BLOCK)
            month = months_of(day[rows]) - first_month
            buyer = np.where(cohort[customer[rows]] < month, returning, new)
            buyer[customer[rows] == (-1 if self._customers.guest is None else self._customers.guest)] = guest
            result.append(base[rows].astype(np.int64) * len(BUYERS) + buyer)
        return result.values


def _of_orders(values: np.ndarray, first_line: np.ndarray) -> np.ndarray:
    """The sum of a column of the lines for each order."""
    result = Column(len(first_line) - 1)
    for start in range(0, len(first_line) - 1, BLOCK):
        edges = first_line[start : start + BLOCK + 1]
        part = values[edges[0] : edges[-1]].astype(np.float64)
        result.append(np.add.reduceat(part, edges[:-1] - edges[0]))
    return result.values


def _coded(values: pa.ChunkedArray) -> tuple[list[str], np.ndarray]:
    """The members among some texts, sorted, and the position of each text's member."""
    encoded = values.dictionary_encode().unify_dictionaries().combine_chunks()
    texts = encoded.dictionary.to_pylist()
    place = np.empty(len(texts), np.int32)
    place[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(len(texts), dtype=np.int32)
    return sorted(texts), place[encoded.indices.to_numpy()]


def _distinct(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct ones of some small codes, and the position of each code among them."""
    is_used = np.bincount(codes) > 0
    return np.flatnonzero(is_used), (np.cumsum(is_used) - 1)[codes]
