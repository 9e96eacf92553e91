"""What the values of a feed file look like: the only place in Python for the forms of ids, dates, times and amounts.

Two consumers read :data:`VALUE_RULES`. ``source check`` reports values that production would reject; the contracts of
staging stop a day if most values of a column do not even look right. The final decision about a row is made by
``sql/ddl/060_rules.sql``; a test holds the two against each other, value by value.
"""

from __future__ import annotations

from dataclasses import dataclass

from ecommerce_platform.feeds.columns import BLANKS

SHARE = 0.2
"""Tolerated share of invalid rows per day; production rejects them individually."""

SEVERAL = 10
"""Fewer invalid rows than this never stop a day, whatever their share."""

FILLED = f"[^{BLANKS}]"
"""A regular expression, for PostgreSQL, Python and RE2, that matches any value that is not blank."""


@dataclass(frozen=True)
class DayRule:
    """What most values of a column must look like, or staging's contract stops the day.

    Looser than the rule for a single value: its purpose is to stop files of garbage.
    """

    pattern: str
    """For PostgreSQL and RE2, searched for in the untrimmed value."""
    what: str
    """A noun phrase for the matching values."""
    plain: bool = False
    """Whether the rows that staging marks ``is_plain`` always match."""
    bucket: bool = False
    """Whether the values always match that have a bucket in staging, in the column of the same name."""


@dataclass(frozen=True)
class ValueRule:
    """The required form of the text of one column."""

    pattern: str
    """An RE2 pattern, matched against the whole trimmed value."""
    fault: str
    """A description of values that do not match."""
    may_be_blank: bool = False
    of_most: DayRule | None = None
    causes: tuple[tuple[str, str], ...] = ()
    """The pattern and the advice of each likely cause, applied to the values that do not match."""


def _padded(pattern: str) -> str:
    return rf"^[{BLANKS}]*{pattern}[{BLANKS}]*$"


# The calendar of 1900 to 2099, as in platform.is_date.
_DAY = (
    r"(?:(?:19|20)[0-9]{2}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    r"|02-(?:0[1-9]|1[0-9]|2[0-8]))|(?:(?:19|20)(?:0[48]|[2468][048]|[13579][26])|2000)-02-29)"
)
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_TIMESTAMP = _DAY + rf"(?:[T ]{_CLOCK}(?::[0-5][0-9](?:\.[0-9]{{1,6}})?)?(?:Z|[+-](?:0[0-9]|1[0-4]):?[0-5][0-9])?)?"
_AMOUNT = r"[0-9]{1,10}(\.[0-9]{1,2})?"
_AT_LEAST_0 = rf"{_AMOUNT}|-0{{1,10}}(\.0{{1,2}})?"
_INTEGER = "-?[0-9]{1,9}"
# At most 9 digits, not all of them 0: RE2 has no lookahead.
_POSITIVE = "|".join(f"0{{{zeros}}}[1-9][0-9]{{0,{8 - zeros}}}" for zeros in range(9))

_MOSTLY_AMOUNTS_OR_BLANK = DayRule(_padded(f"(-?{_AMOUNT})?"), "valid amounts or blank")
_MOSTLY_AMOUNTS = DayRule(_padded(f"-?{_AMOUNT}"), "valid amounts", plain=True)
_MOSTLY_INTEGERS = DayRule(_padded(_INTEGER), "integers", plain=True)
_MOSTLY_DAYS = DayRule(_padded("[0-9]{4}-[0-9]{2}-[0-9]{2}"), "dates (YYYY-MM-DD)", plain=True)
_MOSTLY_TIMESTAMPS = DayRule(_padded(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][^\n]*)?"), "timestamps (ISO 8601)")
_MOSTLY_FILLED = DayRule(FILLED, "not blank")
_MOSTLY_IDENTIFIED = DayRule(FILLED, "not blank", bucket=True)

_OTHER_DATES = (
    (r"[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}.*|[0-9]{4}[./][0-9]{1,2}[./][0-9]{1,2}.*", "write dates as 2024-01-31"),
    (r"[0-9]{9,}(\.[0-9]+)?", "write dates as 2024-01-31, not as a number of seconds"),
)
_OTHER_AMOUNTS = (
    (r"-?[0-9. ]*[0-9],[0-9]{1,2}", "write decimals with a point: 12.50"),
    (r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", "leave out the thousands separators"),
    (r"-?[0-9]+\.[0-9]{3,}", "round amounts to 2 decimals"),
    (r"[^0-9-]+[0-9.,]+|[0-9.,]+ ?[^0-9]+", "leave out the currency"),
)
_OTHER_INTEGERS = ((r"[0-9]+\.0+", "write integers without decimals"),)

_CUSTOMER_OR_GUEST = ValueRule("(?s:.{1,200})", "longer than 200 characters", may_be_blank=True)
_IDENTIFIER = ValueRule("(?s:.{1,200})", "blank, or longer than 200 characters", of_most=_MOSTLY_IDENTIFIED)
_SUPPLIER = ValueRule(
    "[1-9][0-9]{0,17}",
    "not a positive integer of at most 18 digits",
    may_be_blank=True,
    causes=(*_OTHER_INTEGERS, (r"0[0-9]+", "write numbers without leading zeros")),
)


def _day(*, of_most: DayRule | None = _MOSTLY_DAYS, may_be_blank: bool = False) -> ValueRule:
    return ValueRule(_DAY, "not a date (YYYY-MM-DD)", may_be_blank, of_most, _OTHER_DATES)


def _amount(*, of_most: DayRule | None = _MOSTLY_AMOUNTS, may_be_blank: bool = False) -> ValueRule:
    return ValueRule(_AT_LEAST_0, "not an amount of at least 0", may_be_blank, of_most, _OTHER_AMOUNTS)


_UPDATED_AT = ValueRule(_TIMESTAMP, "not a timestamp (ISO 8601)", of_most=_MOSTLY_TIMESTAMPS, causes=_OTHER_DATES)
_FILLED = ValueRule(r"(?s:.+)", "blank", of_most=_MOSTLY_FILLED)

VALUE_RULES: dict[str, dict[str, ValueRule]] = {
    "customers": {
        "customer_id": _IDENTIFIER,
        "date_of_birth": _day(may_be_blank=True, of_most=None),
        "state": ValueRule(
            r"[A-Za-z0-9]{1,3}",
            "not an ISO 3166-2 code without its country",
            may_be_blank=True,
            causes=(
                (r"[A-Za-z]{2}-[A-Za-z0-9]{1,3}", "leave out the country: SP, not BR-SP"),
                (r"(?s:.{4,})", "write the code, not the name: TX, or leave it empty"),
            ),
        ),
        "country": ValueRule(
            r"[A-Za-z]{2}",
            "not an ISO 3166-1 alpha-2 code",
            of_most=_MOSTLY_FILLED,
            causes=((r"(?s:.{3,})", "write two letters: US, BR"),),
        ),
        "registered_on": _day(),
        "updated_at": _UPDATED_AT,
    },
    "products": {
        "product_id": _IDENTIFIER,
        "product_name": _FILLED,
        "price": _amount(),
        "cost": _amount(may_be_blank=True, of_most=_MOSTLY_AMOUNTS_OR_BLANK),
        "stock_quantity": ValueRule(_INTEGER, "not an integer", may_be_blank=True, causes=_OTHER_INTEGERS),
        "supplier_id": _SUPPLIER,
        "updated_at": _UPDATED_AT,
    },
    "transactions": {
        "transaction_id": _IDENTIFIER,
        "customer_id": _CUSTOMER_OR_GUEST,
        "transaction_date": _day(),
        "transaction_time": ValueRule(rf"{_CLOCK}(:[0-5][0-9])?", "not a time (HH:MM:SS)", may_be_blank=True),
        "total_amount": _amount(),
    },
    "transaction_items": {
        "item_id": _IDENTIFIER,
        "transaction_id": _IDENTIFIER,
        "product_id": _IDENTIFIER,
        "quantity": ValueRule(_POSITIVE, "not a positive integer", of_most=_MOSTLY_INTEGERS, causes=_OTHER_INTEGERS),
        "unit_price": _amount(),
        "discount_amount": _amount(may_be_blank=True, of_most=None),
        "line_total": _amount(),
    },
    "returns": {
        "return_id": _IDENTIFIER,
        "transaction_id": _IDENTIFIER,
        "item_id": _IDENTIFIER,
        "returned_on": _day(),
        "quantity": ValueRule(
            "[0-9]{1,9}|-0{1,9}", "not an integer of at least 0", of_most=_MOSTLY_INTEGERS, causes=_OTHER_INTEGERS
        ),
        "refund_amount": _amount(),
    },
}
