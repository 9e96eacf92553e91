"""Customers: who exists on a day, where they live, how much they buy, and their exported images.

Customers are numbered in the order of their registration, so "registered by that day" is a prefix. Nothing is
replayed: in each calendar year, a customer has at most one event (a move, a new e-mail address, a new phone), and an
attribute on a day is a function of (customer, the last year with an event that changed it). That year is the
attribute's epoch; 0 is the beginning.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from ecommerce_platform.shop import draws, text
from ecommerce_platform.shop.geography import (
    AREA_CODES,
    SLOTS,
    STATE_CODES,
    STATE_WEIGHTS,
    cities,
)
from ecommerce_platform.shop.pools import EMAIL_DOMAINS, UNITS, pools

if TYPE_CHECKING:
    from ecommerce_platform.shop.draws import I64, U64
    from ecommerce_platform.shop.settings import ShopSettings

UNIX_EPOCH = dt.date(1970, 1, 1)
GROWTH_DAYS = 1095  # all of ShopSettings.customers have registered after three years; then half as many per year
_REGISTERED_AT_FIRST = 35  # percent
_BASE_AGE_DAYS = 1825  # the first file's customers registered up to five years before
_NEVER = np.iinfo(np.int32).max

STATE, PLACE, EMAIL, PHONE = range(4)
# Events per thousand customers and year: move to another state, move nearby, new e-mail address, new phone.
_EVENTS = np.cumsum([30, 50, 40, 30])
_AFFECTS = np.array(
    [
        [True, True, False, False],
        [False, True, False, False],
        [False, False, True, False],
        [False, False, False, True],
        [False, False, False, False],
    ]
)


class _Year(NamedTuple):
    """The events of a year, by customer_id - 1."""

    happens: np.ndarray  # days since the first day, _NEVER where nothing happens
    event: np.ndarray  # row of _AFFECTS
    before: np.ndarray  # (4, customers) epochs at the beginning of the year
    after: np.ndarray  # and at its end
    by_day: I64  # rows of the customers with an event, ordered by day and id


class _Buyers(NamedTuple):
    """How the customers of a year buy, by customer_id - 1."""

    activity: U64  # cumulative weights
    arrives: I64  # days since the first day
    leaves: I64  # the day after the last on which the customer may buy
    taste: np.ndarray  # 1 prefers expensive products, -1 cheap ones, 0 has no preference


def registered_by(shop: ShopSettings, day: dt.date) -> int:
    """Return the number of customers that exist at the end of a day; their ids are 1 to that number."""
    elapsed = (day - shop.first_day).days
    return int(_registered(shop, np.array([elapsed]))[0]) if elapsed >= 0 else 0


def _registered(shop: ShopSettings, elapsed: I64) -> I64:
    at_first = max(1, shop.customers * _REGISTERED_AT_FIRST // 100)
    growing, after = np.minimum(elapsed, GROWTH_DAYS), np.maximum(elapsed - GROWTH_DAYS, 0)
    return at_first + (shop.customers - at_first) * (2 * growing + after) // (2 * GROWTH_DAYS)


def _arrivals(shop: ShopSettings, ids: I64) -> I64:
    """Return the number of days from the first day to each customer's registration; 0 for all in the first file."""
    days, most = GROWTH_DAYS, int(np.max(ids, initial=0))
    while registered_by(shop, shop.first_day + dt.timedelta(days=days)) < most:
        days += GROWTH_DAYS
    return np.searchsorted(_registered(shop, np.arange(days + 1)), ids, side="left")


def _ids_of_year(shop: ShopSettings, year: int) -> I64:
    return np.arange(1, registered_by(shop, dt.date(year, 12, 31)) + 1)


@lru_cache(maxsize=4)
def _year(shop: ShopSettings, year: int) -> _Year:
    ids = _ids_of_year(shop, year)
    before = np.zeros((4, len(ids)), dtype=np.int16)
    if year > shop.first_day.year:
        last = _year(shop, year - 1).after
        before[:, : last.shape[1]] = last
    bits = draws.hashed(shop.seed, "life event", ids, year)
    event = np.searchsorted(_EVENTS, draws.below(bits, 1000), side="right")
    january = (dt.date(year, 1, 1) - shop.first_day).days
    happens = january + draws.high(bits) % 365
    quiet = (event == len(_EVENTS)) | (happens <= _arrivals(shop, ids))
    happens[quiet] = _NEVER
    event[quiet] = len(_EVENTS)
    after = np.where(_AFFECTS[event].T, np.int16(year - shop.first_day.year + 1), before)
    rows = np.flatnonzero(~quiet)
    return _Year(happens, event, before, after, rows[np.argsort(happens[rows], kind="stable")])


@lru_cache(maxsize=4)
def _buyers(shop: ShopSettings, year: int) -> _Buyers:
    ids = _ids_of_year(shop, year)
    standing = draws.high(draws.hashed(shop.seed, "activity", ids))  # from 0, the most active, to 2**32 - 1
    # A Pareto distribution with exponent 1, truncated at both ends: a customer at quantile x buys in proportion to
    # 1 / (x + 0.2) - 0.75.
    activity = (1 << 38) // (standing + (1 << 32) * 20 // 100) - 48
    # The time a customer stays is hyperbolic, P(stays longer than t) = scale / (scale + t): retention falls fast at
    # first and then ever more slowly. The most active stay longest. Customers in the first file have stayed since
    # they registered, years before, so their remaining time is drawn on that condition.
    arrives = _arrivals(shop, ids)
    scale = 150 + (1 << 32) * 40 // (standing + (1 << 32) * 4 // 100)
    chance = draws.high(draws.hashed(shop.seed, "lifetime", ids)) + 1
    stays = (scale + _days_before_first(shop, ids, arrives)) * ((1 << 32) - chance) // chance
    leaves = arrives + 1 + np.minimum(stays, 40_000)
    percentile = standing * 100 >> 32
    taste = np.where(percentile < 10, 1, np.where(percentile >= 50, -1, 0)).astype(np.int8)
    return _Buyers(draws.cumulative(activity), arrives, leaves, taste)


def _days_before_first(shop: ShopSettings, ids: I64, arrives: I64) -> I64:
    """Return the number of days before the first day that customers in the first file registered; 0 for others."""
    days = draws.below(draws.hashed(shop.seed, "registered", ids), _BASE_AGE_DAYS)
    return np.where(arrives == 0, days * days // _BASE_AGE_DAYS, 0)  # the square: more of them recently


@lru_cache(maxsize=8)
def draw_buyers(shop: ShopSettings, day: dt.date, rows: int) -> I64:
    """Return the customer_ids of a day's orders: only active customers, in proportion to their activity.

    A customer buys twice as often in the first month after registration: most people open an account to order.
    """
    buyers = _buyers(shop, day.year)
    table = buyers.activity[: registered_by(shop, day)]
    elapsed, ordinal = (day - shop.first_day).days, day.toordinal()
    accepted, missing = [], rows
    for attempt in range(12):
        who, chance = draws.drawn(shop.seed, f"buyers {attempt}", ordinal, 2, 3 * missing + 16)
        who = draws.choose(table, who)
        new = elapsed - buyers.arrives[who] <= 30
        here = (buyers.leaves[who] > elapsed) & (new | (chance & np.uint64(1) == 0))
        accepted.append(who[here][:missing])
        missing -= len(accepted[-1])
        if missing == 0:
            break
    else:  # nearly all have left, as can happen with few customers: some come back
        accepted.append(np.resize(who, missing))
    return np.concatenate(accepted) + 1


def tastes(shop: ShopSettings, day: dt.date, ids: I64) -> np.ndarray:
    """Return 1 for customers who prefer expensive products, -1 for cheap ones, 0 for the rest."""
    return _buyers(shop, day.year).taste[ids - 1]


def _epochs(shop: ShopSettings, ids: I64, day: dt.date) -> np.ndarray:
    """Return (4, len(ids)) epochs on a day, in the order STATE, PLACE, EMAIL, PHONE."""
    year, rows = _year(shop, day.year), ids - 1
    happened = year.happens[rows] <= (day - shop.first_day).days
    return np.where(happened, year.after[:, rows], year.before[:, rows])


def places(shop: ShopSettings, ids: I64, day: dt.date) -> dict[str, np.ndarray]:
    """Return where customers live on a day: positions of city and state, and the random bits of their address."""
    epochs = _epochs(shop, ids, day)
    state = draws.choose(STATE_WEIGHTS, draws.hashed(shop.seed, "state", ids, epochs[STATE]))
    bits = draws.hashed(shop.seed, "place", ids, epochs[PLACE])
    city = cities(shop.seed).of_slot[state, draws.below(bits, SLOTS)]
    return {"state": state, "city": city, "place": bits}


def street_address(shop: ShopSettings, bits: U64) -> pa.Array:
    """Return the house number, street and unit of places."""
    streets = pools(shop.seed).streets
    return text.join(
        text.number(1 + draws.below(bits, 9_900, 8)),
        " ",
        text.pick(streets, draws.below(bits, 1 << 20, 24) % len(streets)),
        text.pick(UNITS, draws.below(bits, 1 << 10, 44) % len(UNITS)),
    )


def city(shop: ShopSettings, positions: I64) -> pa.Array:
    """Return the names of cities."""
    return text.pick(cities(shop.seed).names, positions)


@lru_cache(maxsize=8)
def images_of(shop: ShopSettings, day: dt.date) -> dict[str, np.ndarray]:
    """Return the customers changed on a day, then those registered on it, as numbers; each part by id."""
    elapsed = (day - shop.first_day).days
    known, registered = registered_by(shop, day - dt.timedelta(days=1)), registered_by(shop, day)
    year = _year(shop, day.year)
    begin, end = np.searchsorted(year.happens[year.by_day], [elapsed, elapsed + 1])
    ids = np.concatenate([year.by_day[begin:end] + 1, np.arange(known + 1, registered + 1)])
    epochs = _epochs(shop, ids, day)
    return {
        "customer_id": ids,
        "email_epoch": epochs[EMAIL],
        "phone_epoch": epochs[PHONE],
        "day": np.full(len(ids), (day - UNIX_EPOCH).days),
        "second": draws.below(draws.hashed(shop.seed, "customer image", ids, elapsed), 86_400),
        **places(shop, ids, day),
    }


def image_columns(shop: ShopSettings, images: dict[str, np.ndarray]) -> list[pa.Array]:
    """Return the columns of the customers feed as text, for images from `images_of`."""
    ids, pool = images["customer_id"], pools(shop.seed)
    bits = draws.hashed(shop.seed, "person", ids)
    first = draws.below(bits, 1 << 20) % len(pool.first_names)
    last = draws.below(bits, 1 << 20, 20) % len(pool.last_names)
    arrives = _arrivals(shop, ids)
    registered = (shop.first_day - UNIX_EPOCH).days + arrives - _days_before_first(shop, ids, arrives)
    # Age 19 to 80 at registration; the minimum of two draws makes young customers more numerous.
    years = np.minimum(draws.below(bits, 62, 40), draws.below(bits, 75, 46))
    born = registered - 6_940 - 365 * years - draws.below(bits, 365, 54)
    mail = draws.hashed(shop.seed, "email", ids, images["email_epoch"])
    phone = draws.hashed(shop.seed, "phone", ids, images["phone_epoch"])
    # The customer's id makes an e-mail address unique; a new address has a different domain or mark.
    address = cities(shop.seed)
    return [
        text.number(ids),
        text.pick(pool.first_names, first),
        text.pick(pool.last_names, last),
        text.join(
            text.pick(pool.first_slugs, first),
            ".",
            text.pick(pool.last_slugs, last),
            text.number(ids),
            text.pick(_MARKS, images["email_epoch"] % len(_MARKS)),
            "@",
            text.pick(EMAIL_DOMAINS, draws.below(mail, len(EMAIL_DOMAINS))),
        ),
        text.join(
            "+1-",
            text.number(AREA_CODES[images["state"], draws.below(phone, 12, 32)]),
            "-555-",
            text.padded(draws.below(phone, 10_000), 4),
        ),
        text.date(born),
        street_address(shop, images["place"]),
        city(shop, images["city"]),
        text.pick(STATE_CODES, images["state"]),
        text.padded(address.zip_prefixes[images["city"]] * 100 + draws.below(images["place"], 100, 54), 5),
        text.repeated("US", len(ids)),
        text.date(registered),
        text.instant(images["day"], images["second"]),
    ]


# The mark in an e-mail address of a later epoch, so that a change is always visible.
_MARKS = pa.array(["", *(f".{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")])
