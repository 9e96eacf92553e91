"""The values of a feed file that production accepts, and likely causes of those that it rejects."""

from __future__ import annotations

from dataclasses import dataclass

from ecommerce_platform.feeds.columns import (
    AMOUNT,
    AMOUNT_OR_BLANK,
    DAY,
    FILLED,
    ID,
    ID_OR_BLANK,
    MOMENT,
    NUMBER,
)

# The limits of staging's blocking check, the same as in schemas.rules; a test checks that they agree. Importing them
# would load pandera and Ibis in a command that only reads files.
SHARE = 0.2


SEVERAL = 10


@dataclass(frozen=True)
class ValueRule:
    """The required form of the text of one column."""

    pattern: str
    """An RE2 pattern, matched against the whole trimmed value."""
    fault: str
    """A description of values that do not match."""
    may_be_blank: bool = False
    contract: str | None = None
    """A pattern that most values of a day must match, or staging's check blocks the day."""
    causes: tuple[tuple[str, str], ...] = ()
    """The pattern and the advice of each likely cause, applied to the values that do not match."""


_OTHER_DATES = (
    (r"[0-9]{1,2}[./-][0-9]{1,2}[./-][0-9]{2,4}.*|[0-9]{4}[./][0-9]{1,2}[./][0-9]{1,2}.*", "write dates as 2024-01-31"),
    (r"[0-9]{9,}(\.[0-9]+)?", "write dates as 2024-01-31, not as a number of seconds"),
)


_AMOUNT_CAUSES = (
    (r"-?[0-9. ]*[0-9],[0-9]{1,2}", "write decimals with a point: 12.50"),
    (r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", "leave out the thousands separators"),
    (r"-?[0-9]+\.[0-9]{3,}", "round amounts to 2 decimals"),
    (r"[^0-9-]+[0-9.,]+|[0-9.,]+ ?[^0-9]+", "leave out the currency"),
)


_DAY = r"(19|20)[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"


_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"


_MOMENT = _DAY + rf"([T ]{_CLOCK}(:[0-5][0-9](\.[0-9]{{1,6}})?)?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])?)?"


_ID_CAUSES = (
    (r"[0-9]+\.0+", "write whole numbers without decimals"),
    (r"0[0-9]+", "write numbers without leading zeros"),
    (r".*[A-Za-z].*", "ids must be numbers: assign each id a unique number"),
)


def _id(digits: int, *, contract: str | None = ID, may_be_blank: bool = False) -> ValueRule:
    fault = f"not a positive whole number of at most {digits} digits"
    return ValueRule(rf"[1-9][0-9]{{0,{digits - 1}}}", fault, may_be_blank, contract, _ID_CAUSES)


def _day(*, contract: str | None = DAY, may_be_blank: bool = False) -> ValueRule:
    return ValueRule(_DAY, "not a date (YYYY-MM-DD)", may_be_blank, contract, _OTHER_DATES)


def _amount(*, contract: str | None = AMOUNT, may_be_blank: bool = False) -> ValueRule:
    pattern = r"[0-9]{1,10}(\.[0-9]{1,2})?"
    return ValueRule(pattern, "not an amount of at least 0", may_be_blank, contract, _AMOUNT_CAUSES)


_MOMENT_RULE = ValueRule(_MOMENT, "not a moment (ISO 8601)", contract=MOMENT, causes=_OTHER_DATES)


_FILLED = ValueRule(r"(?s:.+)", "blank", contract=FILLED)


VALUE_RULES: dict[str, dict[str, ValueRule]] = {
    "customers": {
        "customer_id": _id(14),
        "date_of_birth": _day(may_be_blank=True, contract=None),
        "state": ValueRule(
            r"[A-Za-z0-9]{1,3}",
            "not an ISO 3166-2 subdivision without its country",
            may_be_blank=True,
            causes=(
                (r"[A-Za-z]{2}-[A-Za-z0-9]{1,3}", "leave out the country: SP, not BR-SP"),
                (r"(?s:.{4,})", "write the code, not the name: TX, or leave it empty"),
            ),
        ),
        "country": ValueRule(
            r"[A-Za-z]{2}",
            "not an ISO 3166-1 alpha-2 code",
            contract=FILLED,
            causes=((r"(?s:.{3,})", "write two letters: US, BR"),),
        ),
        "registered_on": _day(),
        "updated_at": _MOMENT_RULE,
    },
    "products": {
        "product_id": _id(14),
        "product_name": _FILLED,
        "price": _amount(),
        "cost": _amount(may_be_blank=True, contract=AMOUNT_OR_BLANK),
        "stock_quantity": ValueRule(r"-?[0-9]{1,9}", "not a whole number", may_be_blank=True, causes=_ID_CAUSES[:1]),
        "supplier_id": _id(18, may_be_blank=True, contract=None),
        "updated_at": _MOMENT_RULE,
    },
    "transactions": {
        "transaction_id": _id(18),
        "customer_id": _id(14, may_be_blank=True, contract=ID_OR_BLANK),
        "transaction_date": _day(),
        "transaction_time": ValueRule(rf"{_CLOCK}(:[0-5][0-9])?", "not a time (HH:MM:SS)", may_be_blank=True),
        "total_amount": _amount(),
    },
    "transaction_items": {
        "item_id": _id(18),
        "transaction_id": _id(18),
        "product_id": _id(14),
        "quantity": ValueRule(
            r"0*[1-9][0-9]{0,8}", "not a positive whole number", contract=NUMBER, causes=_ID_CAUSES[:1]
        ),
        "unit_price": _amount(),
        "discount_amount": _amount(may_be_blank=True, contract=None),
        "line_total": _amount(),
    },
}
