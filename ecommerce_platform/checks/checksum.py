"""A row as one number, so that many rows are compared by one."""

from __future__ import annotations

from collections.abc import Iterable

HASHES = {
    "integer": "hashint8extended({value}, {seed})",
    # PostgreSQL folds the halves of a large number into one, and takes no notice of a sign.
    "id": "hashint8extended({value}, {seed} # ({value} >> 32))",
    "numeric": "hash_numeric_extended({value}, {seed} # ({value} < 0)::integer)",
    # A numeric that a CHECK keeps from being negative: the same number, without asking for the sign.
    "amount": "hash_numeric_extended({value}, {seed})",
    "date": "hashint8extended({value} - date '2000-01-01', {seed})",
}


def checksum(columns: Iterable[tuple[str, str]]) -> str:
    """An SQL expression of 64 bits over columns without null; null as soon as one of them is null.

    PostgreSQL's hash of a whole row takes nulls and any type, and half as long again.

    Args:
        columns: an expression, and a key of ``HASHES``.
    """
    chain = "0"
    for value, kind in columns:
        chain = HASHES[kind].format(value=value, seed=chain)
    return chain
