"""Computes the checksum of a row, so that one number can represent many rows in a comparison."""

from __future__ import annotations

from collections.abc import Iterable

HASHES = {
    "integer": "hashint8extended({value}, {seed})",
    # PostgreSQL folds the halves of a large number into one, and ignores the sign.
    "id": "hashint8extended({value}, {seed} # ({value} >> 32))",
    "numeric": "hash_numeric_extended({value}, {seed} # ({value} < 0)::integer)",
    # A numeric that a CHECK prevents from being negative: the same value as "numeric", without testing the sign.
    "amount": "hash_numeric_extended({value}, {seed})",
    "date": "hashint8extended({value} - date '2000-01-01', {seed})",
}


def checksum(columns: Iterable[tuple[str, str]]) -> str:
    """A 64-bit SQL expression over columns that are not null; null if any of them is null.

    PostgreSQL's hash of a whole row (``hash_record_extended``) takes as long, but ignores the sign of a numeric and
    folds the halves of a large integer: a refund stored as a charge would go unnoticed.

    Args:
        columns: pairs of an expression and a key of ``HASHES``.
    """
    chain = "0"
    for value, kind in columns:
        chain = HASHES[kind].format(value=value, seed=chain)
    return chain
