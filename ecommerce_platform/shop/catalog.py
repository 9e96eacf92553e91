"""Products: which exist on a day, at which price and cost, and the images of them that the shop exports.

Products are numbered in the order of their launch, so "launched by that day" is a prefix. Nothing is
replayed: the history is divided into periods of 91 days, in each of which a product's price changes at most
once, and a price is a function of (product, number of the last period that changed it).
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from ecommerce_platform.shop import draws, text
from ecommerce_platform.shop.assortment import CATEGORIES

if TYPE_CHECKING:
    from ecommerce_platform.shop.draws import I64, U64
    from ecommerce_platform.shop.settings import ShopSettings

PERIOD_DAYS = 91
LAUNCH_DAYS = 1095  # the last product is launched three years after the first day
_LAUNCHED_AT_FIRST = 85  # percent
_PERCENT_REPRICED = 70  # of the products, in a period: about three times a year
_PERMILLE_RENAMED = 6  # of the repriced
_PRICE_STEPS = 64
_HEROES = 10
_HERO_PRICES = (6_000, 40_000)  # in cents
_NEVER = np.iinfo(np.int32).max

_SHELVES = [(category, shelf) for category in CATEGORIES for shelf in category.shelves]
_SHELVES_OF = [[row for row, (owner, _) in enumerate(_SHELVES) if owner is category] for category in CATEGORIES]
_FIRST_SHELF = np.array([rows[0] for rows in _SHELVES_OF])
_SHELF_COUNT = np.array([len(rows) for rows in _SHELVES_OF])
_CATEGORY_TABLE = draws.cumulative([category.share for category in CATEGORIES])
_MARGINS = np.array([category.margin for category in CATEGORIES])
# Prices are spread evenly on a log scale. Rounding to cents hides the last bit, which may differ between machines.
_PRICE_TABLE = np.array(
    [
        [
            round(100 * shelf.lowest * (shelf.highest / shelf.lowest) ** (step / (_PRICE_STEPS - 1)))
            for step in range(_PRICE_STEPS)
        ]
        for _, shelf in _SHELVES
    ]
)


class _Words(NamedTuple):
    """Word lists of different lengths, concatenated: entry i of list k is at starts[k] + i."""

    words: pa.Array
    starts: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, lists: list[tuple[str, ...]]) -> _Words:
        counts = np.array([len(words) for words in lists])
        return cls(pa.array([word for words in lists for word in words]), np.cumsum(counts) - counts, counts)

    def draw(self, owners: I64, bits: U64, skip: int) -> pa.Array:
        within = ((bits >> np.uint64(skip)) & np.uint64(0xFFFF)).astype(np.int64) % self.counts[owners]
        return text.pick(self.words, self.starts[owners] + within)


_BRANDS = _Words.of([category.brands for category in CATEGORIES])
_ADJECTIVES = _Words.of([category.adjectives for category in CATEGORIES])
_NOUNS = _Words.of([shelf.nouns for _, shelf in _SHELVES])
_CATEGORY_NAMES = pa.array([category.name for category in CATEGORIES])
_SHELF_NAMES = pa.array([shelf.name for _, shelf in _SHELVES])


class _Catalog(NamedTuple):
    """The constant attributes of each product, by product_id - 1; prices and costs in cents."""

    launched: I64  # days since the first day
    category: I64
    shelf: I64
    price: I64
    cost: I64
    popularity: U64  # cumulative weights


class _Period(NamedTuple):
    """The changes of a period for each product: the day, and the values before and after."""

    changed: np.ndarray  # days since the first day, _NEVER where nothing changes
    price: tuple[I64, I64]
    cost: tuple[I64, I64]
    epoch: tuple[np.ndarray, np.ndarray]  # number of the period that set the price
    identity: tuple[np.ndarray, np.ndarray]  # number of the period that last renamed or moved the product


@lru_cache(maxsize=4)
def _catalog(shop: ShopSettings) -> _Catalog:
    ids = np.arange(1, shop.products + 1)
    at_first = max(1, shop.products * _LAUNCHED_AT_FIRST // 100)
    later = shop.products - at_first
    launched = np.maximum(0, 1 + (ids - 1 - at_first) * (LAUNCH_DAYS - 1) // max(1, later))
    launched[:at_first] = 0

    bits = draws.hashed(shop.seed, "product", ids)
    category = draws.choose(_CATEGORY_TABLE, bits)
    shelf = _FIRST_SHELF[category] + draws.below(bits, 1 << 12, 20) % _SHELF_COUNT[category]
    base = _PRICE_TABLE[shelf, draws.below(bits, _PRICE_STEPS, 32)]
    price = base * (1000 + draws.below(bits, 60, 40)) // 1000
    margin = _MARGINS[category] + draws.below(bits, 61, 48) - 30
    cost = price * (1000 - margin) // 1000

    return _Catalog(launched, category, shelf, price, cost, draws.cumulative(_popularity(shop, price, launched)))


def _popularity(shop: ShopSettings, price: I64, launched: I64) -> I64:
    """Return how many units of each product the shop sells, as weights.

    A power law: the r-th product brings revenue in proportion to (r + 4) ** -1.5, so that ten hero products bring most
    of it, and hundreds of others little each. The heroes are sold from the first day, at prices at which people buy
    them often, but not with every order. An expensive product sells fewer units than a cheap one of the same rank.
    """
    order = np.argsort(draws.hashed(shop.seed, "popularity", np.arange(1, shop.products + 1)), kind="stable")
    can_lead = (launched == 0) & (price >= _HERO_PRICES[0]) & (price <= _HERO_PRICES[1])
    leading = np.zeros(shop.products, dtype=bool)
    leading[order[can_lead[order]][:_HEROES]] = True
    order = np.concatenate([order[leading[order]], order[~leading[order]]])
    rank = np.empty(shop.products, dtype=np.int64)
    rank[order] = np.arange(shop.products)
    head = rank + 5
    # A square root is correctly rounded on every machine, unlike a power.
    weight = (1e17 / (head * np.sqrt(head))).astype(np.int64) // (800 + price)
    return np.maximum(weight, 1)


@lru_cache(maxsize=6)
def _period(shop: ShopSettings, number: int) -> _Period:
    ids = np.arange(1, shop.products + 1)
    if number == 0:
        epoch = identity = np.zeros(shop.products, dtype=np.int32)
    else:
        before = _period(shop, number - 1)
        epoch, identity = before.epoch[1], before.identity[1]
    bits = draws.hashed(shop.seed, "price change", ids, number)
    repriced = draws.below(bits, 1 << 16) % 100 < _PERCENT_REPRICED
    renamed = repriced & (draws.below(bits, 1 << 16, 16) % 1000 < _PERMILLE_RENAMED)
    day = number * PERIOD_DAYS + draws.high(bits) % PERIOD_DAYS
    epochs = (epoch, np.where(repriced, number + 1, epoch).astype(np.int32))
    prices = [_price_and_cost(shop, ids, each) for each in epochs]
    return _Period(
        np.where(repriced, day, _NEVER).astype(np.int32),
        (prices[0][0], prices[1][0]),
        (prices[0][1], prices[1][1]),
        epochs,
        (identity, np.where(renamed, number + 1, identity).astype(np.int32)),
    )


def _price_and_cost(shop: ShopSettings, ids: I64, epochs: np.ndarray) -> tuple[I64, I64]:
    """Return prices and costs: they drift up about two percent per year, with a random part in each change."""
    catalog = _catalog(shop)
    bits = draws.hashed(shop.seed, "price", ids, epochs)
    price = catalog.price * (1000 + 5 * epochs + draws.below(bits, 121) - 60) // 1000
    cost = catalog.cost * (1000 + 5 * epochs + draws.below(bits, 41, 32) - 20) // 1000
    whole = 10_000  # from this price up, prices end only in .99
    price = np.where(price < whole, (price + 25) // 50 * 50 - 1, (price + 50) // 100 * 100 - 1)
    return np.maximum(price, 99), np.maximum(cost, 10)


def launched_by(shop: ShopSettings, day: dt.date) -> int:
    """Return the number of products that exist on a day; their ids are 1 to that number."""
    return int(np.searchsorted(_catalog(shop).launched, (day - shop.first_day).days, side="right"))


def draw_products(shop: ShopSettings, day: dt.date, bits: U64) -> I64:
    """Return a product_id for each number, drawn in proportion to the products' popularity on that day."""
    return draws.choose(_catalog(shop).popularity[: launched_by(shop, day)], bits) + 1


def categories(shop: ShopSettings, ids: I64) -> I64:
    """Return the position in CATEGORIES of each product's category, which never changes."""
    return _catalog(shop).category[ids - 1]


@lru_cache(maxsize=8)
def prices(shop: ShopSettings, day: dt.date) -> I64:
    """Return the list prices in force on a day, in cents, by product_id - 1."""
    return _in_force(shop, day, _period(shop, _period_of(shop, day)).price)


@lru_cache(maxsize=8)
def costs(shop: ShopSettings, day: dt.date) -> I64:
    """Return the costs in force on a day, in cents, by product_id - 1."""
    return _in_force(shop, day, _period(shop, _period_of(shop, day)).cost)


def _period_of(shop: ShopSettings, day: dt.date) -> int:
    return (day - shop.first_day).days // PERIOD_DAYS


def _in_force(shop: ShopSettings, day: dt.date, before_and_after: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    changed = _period(shop, _period_of(shop, day)).changed
    return np.where(changed <= (day - shop.first_day).days, before_and_after[1], before_and_after[0])


@lru_cache(maxsize=8)
def images_of(shop: ShopSettings, day: dt.date) -> dict[str, np.ndarray]:
    """Return the products launched or changed on a day, as numbers, in order of their ids."""
    elapsed = (day - shop.first_day).days
    catalog, period = _catalog(shop), _period(shop, _period_of(shop, day))
    touched = (catalog.launched == elapsed) | ((period.changed == elapsed) & (catalog.launched < elapsed))
    ids = np.flatnonzero(touched) + 1
    bits = draws.hashed(shop.seed, "product image", ids, elapsed)
    return {
        "product_id": ids,
        "identity": _in_force(shop, day, period.identity)[ids - 1],
        "price": prices(shop, day)[ids - 1],
        "cost": costs(shop, day)[ids - 1],
        "stock": draws.below(bits, 500),
        "day": np.full(len(ids), (day - dt.date(1970, 1, 1)).days),
        "second": draws.below(bits, 86_400, 32),
    }


def image_columns(shop: ShopSettings, images: dict[str, np.ndarray]) -> list[pa.Array]:
    """Return the columns of the products feed as text, for images from `images_of`."""
    catalog = _catalog(shop)
    ids, identity = images["product_id"], images["identity"]
    category, shelf = catalog.category[ids - 1], catalog.shelf[ids - 1]
    original = draws.hashed(shop.seed, "product words", ids)
    # A later identity changes one thing: the adjective, the brand, or the shelf.
    current = draws.hashed(shop.seed, "product words", ids, identity)
    what = np.where(identity > 0, draws.below(current, 3, 48), -1)
    moved = _FIRST_SHELF[category] + draws.below(current, 1 << 12) % _SHELF_COUNT[category]
    adjective = _ADJECTIVES.draw(category, np.where(what == 0, current, original), 0)
    brand = _BRANDS.draw(category, np.where(what == 1, current, original), 16)
    noun = _NOUNS.draw(shelf, original, 32)
    return [
        text.number(ids),
        text.join(brand, " ", adjective, " ", noun),
        text.pick(_CATEGORY_NAMES, category),
        text.pick(_SHELF_NAMES, np.where(what == 2, moved, shelf)),
        brand,
        text.money(images["price"]),
        text.money(images["cost"]),
        text.number(images["stock"]),
        text.number(1 + draws.below(original, max(5, shop.products // 20), 48)),
        text.instant(images["day"], images["second"]),
    ]
