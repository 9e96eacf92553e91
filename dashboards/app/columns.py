"""Columns of compact integers, and sums over them: block by block, so that no computation copies a whole column."""

from __future__ import annotations

import numpy as np

BLOCK = 1 << 16
"""Rows to sum at once: their codes and weights stay in the processor's cache."""

_TYPES = (np.uint8, np.int16, np.uint16, np.int32, np.int64)


def smallest(low: float, high: float) -> np.dtype:
    """The smallest type that holds all integers from ``low`` to ``high``; floating point if none does."""
    for dtype in _TYPES:
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return np.dtype(dtype)
    return np.dtype(np.float64)


class Column:
    """A column of integers that grows up to a given length, in the smallest type that holds its values.

    Space that has not been filled yet takes no memory, as the operating system assigns a page when it is written to.
    """

    def __init__(self, length: int, dtype: type = np.uint8):
        self._values = np.empty(length, dtype)
        self._size = 0

    def append(self, values: np.ndarray) -> None:
        """Add integers, which can be of any type."""
        if not len(values):
            return
        size = self._size + len(values)
        dtype = np.result_type(self._values.dtype, smallest(values.min(), values.max()))
        if dtype != self._values.dtype:
            wider = np.empty(len(self._values), dtype)
            wider[: self._size] = self._values[: self._size]
            self._values = wider
        self._values[self._size : size] = values
        self._size = size

    @property
    def values(self) -> np.ndarray:
        """The values so far."""
        return self._values[: self._size]


def sums(codes: np.ndarray, weights: np.ndarray | None, size: int, index: np.ndarray | slice) -> np.ndarray:
    """Sum of the weights by code, of the rows at some positions; the number of rows if there are no weights.

    Sums are exact up to 2**53.
    """
    if isinstance(index, slice):
        codes, weights = codes[index], None if weights is None else weights[index]
    length = len(codes) if isinstance(index, slice) else len(index)
    total = np.zeros(size, np.int64 if weights is None else np.float64)
    step = max(BLOCK, 4 * size)
    for start in range(0, length, step):
        rows = slice(start, start + step) if isinstance(index, slice) else index[start : start + step]
        total += np.bincount(codes[rows], None if weights is None else weights[rows], size)
    return total


def distinct(things: np.ndarray, codes: np.ndarray, count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct pairs of a thing, below ``count``, and a code, below ``size``; sorted."""
    dtype = np.int32 if count * size <= np.iinfo(np.int32).max else np.int64
    # Sorting integers takes 5 to 12 ns each; np.unique hashes them, which takes a hundred times as long.
    pairs = things.astype(dtype)
    pairs *= dtype(size)
    pairs += codes
    pairs.sort()
    is_new = np.ones(len(pairs), bool)
    np.not_equal(pairs[1:], pairs[:-1], out=is_new[1:])
    pairs = pairs[is_new]
    return np.divmod(pairs, dtype(size))
