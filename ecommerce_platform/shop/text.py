"""Formats integers as the text of CSV columns, one column at a time."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from numpy.typing import NDArray

Ints = NDArray[np.integer]

pc: Any = pyarrow.compute  # most of its functions are created at import time, so a type checker cannot see them


_POOLED = 100_000  # the texts of numbers below this are cached; most of a shop's numbers are: five times faster


def number(values: Ints) -> pa.Array:
    """Return integers as decimal digits."""
    if len(values) and np.min(values) >= 0 and np.max(values) < _POOLED:
        return pick(_small_numbers(), values)
    return pa.array(values).cast(pa.string())


def money(cents: Ints) -> pa.Array:
    """Return cents as amounts with a point and two decimals: 1999 is `19.99`."""
    large = np.flatnonzero((cents < 0) | (cents >= _POOLED))
    amounts = pick(_small_amounts(), np.clip(cents, 0, _POOLED - 1))
    return replaced(amounts, large, _amounts(cents[large]))


@lru_cache(maxsize=1)
def _small_numbers() -> pa.Array:
    return pa.array(np.arange(_POOLED)).cast(pa.string())


@lru_cache(maxsize=1)
def _small_amounts() -> pa.Array:
    return _amounts(np.arange(_POOLED))


def _amounts(cents: Ints) -> pa.Array:
    halves = np.empty((len(cents), 2), dtype="<i8")  # a 128-bit number: its low half, then its sign
    halves[:, 0] = cents
    halves[:, 1] = halves[:, 0] >> 63
    decimals = pa.Array.from_buffers(pa.decimal128(18, 2), len(cents), [None, pa.py_buffer(halves)])
    return decimals.cast(pa.string())


def date(days: Ints) -> pa.Array:
    """Return days since 1970-01-01 as YYYY-MM-DD."""
    return pa.array(days.astype(np.int32)).cast(pa.date32()).cast(pa.string())


def time(seconds: Ints) -> pa.Array:
    """Return seconds since midnight as HH:MM:SS."""
    return pa.array(seconds.astype(np.int32)).cast(pa.time32("s")).cast(pa.string())


def instant(days: Ints, seconds: Ints) -> pa.Array:
    """Return days and seconds within them as YYYY-MM-DDTHH:MM:SSZ."""
    return join(date(days), "T", time(seconds), "Z")


def pick(pool: pa.Array, positions: Ints) -> pa.Array:
    """Return the entries of a pool at the given positions."""
    return pool.take(pa.array(positions))


def padded(values: Ints, width: int) -> pa.Array:
    """Return integers with leading zeros to the given width."""
    return pc.utf8_lpad(number(values), width, "0")


def replaced(values: pa.Array, rows: Ints, texts: pa.Array) -> pa.Array:
    """Return the values with other texts in the given rows, which are ascending."""
    if not len(rows):
        return values
    if len(rows) * 32 > len(values):
        mask = np.zeros(len(values), dtype=bool)
        mask[rows] = True
        return pc.replace_with_mask(values, mask, texts)
    # The kernel above visits every row; for few replacements, concatenating the unchanged parts is faster.
    parts, begin = [], 0
    for position, row in enumerate(rows.tolist()):
        parts += (values.slice(begin, row - begin), texts.slice(position, 1))
        begin = row + 1
    return pa.concat_arrays([*parts, values.slice(begin)])


def substituted(values: pa.Array, old: str, new: str) -> pa.Array:
    """Return the values with every `old` replaced by `new`."""
    return pc.replace_substring(values, old, new)


def join(*parts: pa.Array | str) -> pa.Array:
    """Return the parts joined row by row; a plain string repeats, a null counts as empty."""
    return join_with("", *parts)


def join_with(separator: str, *parts: pa.Array | str) -> pa.Array:
    """Return the parts joined row by row with a separator."""
    return pc.binary_join_element_wise(*parts, separator, null_handling="replace")


def bytes_of(values: pa.Array) -> bytes:
    """Return all values of a string array, concatenated in UTF-8."""
    ends = _ends(values)
    return values.buffers()[2][int(ends[0]) : int(ends[-1])].to_pybytes() if ends[-1] > ends[0] else b""


def _ends(values: pa.Array) -> Ints:
    """Return the offset where the first value begins, then the offsets where the values end."""
    if not len(values):
        return np.zeros(1, dtype=np.int32)
    return np.frombuffer(values.buffers()[1], dtype=np.int32)[values.offset : values.offset + len(values) + 1]


def quoted(values: pa.Array) -> pa.Array:
    """Return CSV fields (RFC 4180): a value with a comma, a quote or a line end is quoted, its quotes doubled."""
    data = bytes_of(values)
    if not any(mark in data for mark in _MARKS):  # most columns need no quotes, and this check is cheap
        return values
    ends = _ends(values)
    marks = np.flatnonzero(_IS_MARK[np.frombuffer(data, dtype=np.uint8)])
    rows = np.searchsorted(ends - ends[0], marks, side="right") - 1
    rows = rows[np.append(True, rows[1:] != rows[:-1])]
    return replaced(values, rows, join('"', substituted(pick(values, rows), '"', '""'), '"'))


_MARKS = (b",", b'"', b"\n", b"\r")
_IS_MARK = np.isin(np.arange(256), [mark[0] for mark in _MARKS])


def repeated(value: str, rows: int) -> pa.Array:
    """Return one value in every row."""
    return pa.repeat(pa.scalar(value), rows)
