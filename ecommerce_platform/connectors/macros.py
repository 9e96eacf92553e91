"""What the SQL of every connector may use, and how numbers are written; docs/connectors/README.md describes both."""

from __future__ import annotations

NOT_IN_AMOUNTS = "[^0-9.,()\u2212-]*"
DIGITS = "(?:[0-9]+(?:\\.[0-9]*)?|[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\\.[0-9]+)?)"
AMOUNT = NOT_IN_AMOUNTS + DIGITS + NOT_IN_AMOUNTS
"""An amount, such as $1,234.50; 0,125 is none, because its comma separates no thousands."""
NEGATIVE = f"{NOT_IN_AMOUNTS}[\u2212-]{AMOUNT}|{NOT_IN_AMOUNTS}\\({AMOUNT}\\){NOT_IN_AMOUNTS}"

MACROS = {
    # Ten digits before the point are what the platform takes.
    "amount(t)": (
        "cast(try_cast(case"
        f" when regexp_full_match(t, '{AMOUNT}') then regexp_replace(t, '[^0-9.]', '', 'g')"
        f" when regexp_full_match(t, '{NEGATIVE}') then '-' || regexp_replace(t, '[^0-9.]', '', 'g')"
        " end as decimal(14, 4)) as decimal(18, 4))"
    ),
    "whole(t)": (
        "try_cast(case when regexp_full_match(t, '-?[0-9]{1,9}(\\.0+)?')"
        " then regexp_replace(t, '\\..*', '') end as bigint)"
    ),
    "money(x)": "cast(cast(x as decimal(38, 2)) as varchar)",
    # A quotient is a double, and 1.1 * 100 is more than 110.
    "up_to_cents(x)": "cast(ceil(round(try_cast(x as decimal(38, 8)) * 100, 6)) / 100 as decimal(18, 2))",
    "anonymous_id(t)": "left(sha256(lower(t)), 32)",
    "state_code(t)": (
        "upper(case when regexp_full_match(t, '[A-Za-z0-9]{1,3}') then t"
        " when regexp_full_match(t, '[A-Za-z]{2}-[A-Za-z0-9]{1,3}') then substr(t, 4) end)"
    ),
    "country_code(t)": "case when regexp_full_match(t, '[A-Za-z]{2}') then upper(t) else 'ZZ' end",
    "short_code(t)": "case when length(t) <= 150 then t else left(t, 110) || '-' || md5(t) end",
}
"""What the SQL of every connector may use."""

_CURRENCY = "\\p{Sc}|EUR|CHF|PLN|SEK|NOK|DKK|CZK|HUF|RON|BRL|TRY|R\\$|kr|z\u0142|K\u010d"
_SIGN = "[ \u00a0\u202f\u2212()-]*"
SIGN = f"{_SIGN}(?:{_CURRENCY})?{_SIGN}"
DECIMAL_COMMA = f"{SIGN}(?:(?:[0-9]+|[0-9]{{1,3}}(?:\\.[0-9]{{3}})+),[0-9]{{1,2}}|0,[0-9]+){SIGN}"
"""A number whose comma can only be a decimal one: 50,00, 1.234,56, or 0,125."""
WITH_COMMA = f"{SIGN}(?:[0-9]+|[0-9]{{1,3}}(?:\\.[0-9]{{3}})+)(?:,[0-9]+)?{SIGN}"
"""Any number, as it is written where commas are decimal."""
DECIMAL_POINT = f"{SIGN}[0-9,]*\\.[0-9]{{1,2}}{SIGN}"
"""A number whose point can only be a decimal one."""
