"""Random numbers that depend only on their purpose, never on earlier draws.

Two sources, both of 64-bit integers, so that every machine gets the same bits:

- `drawn`: a new stream for one day, from NumPy's Philox keyed by (seed, stream, day);
- `hashed`: one number per id, from SplitMix64, so that a customer's attributes do not depend on other customers.

Only `random_raw` of Philox is used: NumPy guarantees that this stream never changes, but not the methods of
`Generator`, which also use libm, whose last bit differs between CPUs. For the same reason, a distribution is a table
of integer weights, never a formula over floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

_MASK = (1 << 64) - 1
# Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014): the constants of SplitMix64.
_GOLDEN = 0x9E3779B97F4A7C15
_MIX_1 = 0xBF58476D1CE4E5B9
_MIX_2 = 0x94D049BB133111EB
_EPOCH_STEP = 0xD1342543DE82EF95  # any odd constant far from _GOLDEN keeps (id, epoch) pairs apart


def drawn(seed: int, stream: str, day: int, fields: int, rows: int) -> U64:
    """Return an array (fields, rows) of uniform 64-bit numbers: the beginning of the stream of that day."""
    key = np.array([seed & _MASK, (crc32(stream.encode()) << 32) | (day & 0xFFFFFFFF)], dtype=np.uint64)
    return np.random.Philox(key=key).random_raw(fields * rows).reshape(fields, rows)


def hashed(seed: int, stream: str, ids: I64, epochs: I64 | int = 0) -> U64:
    """Return one uniform 64-bit number per id; `epochs` is one number for all ids, or one per id."""
    if isinstance(epochs, int):
        offset: U64 | np.uint64 = np.uint64((_stream_key(seed, stream) + epochs * _EPOCH_STEP) & _MASK)
    else:
        offset = epochs.astype(np.uint64) * np.uint64(_EPOCH_STEP) + np.uint64(_stream_key(seed, stream))
    bits = ids.astype(np.uint64) * np.uint64(_GOLDEN)
    bits += offset
    bits ^= bits >> np.uint64(30)
    bits *= np.uint64(_MIX_1)
    bits ^= bits >> np.uint64(27)
    bits *= np.uint64(_MIX_2)
    bits ^= bits >> np.uint64(31)
    return bits


def below(bits: U64, limit: int, skip: int = 0) -> I64:
    """Return integers from 0 to limit - 1, after dropping the `skip` low bits.

    `skip` lets one 64-bit number feed several small fields. The bias of the remainder is under limit / 2**40.
    """
    return ((bits >> np.uint64(skip)) % np.uint64(limit)).astype(np.int64)


def high(bits: U64) -> I64:
    """Return the upper 32 bits: a uniform number from 0 to 2**32 - 1."""
    return (bits >> np.uint64(32)).astype(np.int64)


def cumulative(weights: Sequence[int] | NDArray[np.integer]) -> U64:
    """Return the running sum of integer weights, the table that `choose` draws from."""
    return np.cumsum(np.asarray(weights, dtype=np.uint64), dtype=np.uint64)


def choose(table: U64, bits: U64) -> I64:
    """Return positions in `table` (see `cumulative`), in proportion to their weights."""
    return np.searchsorted(table, bits % table[-1], side="right")


@lru_cache(maxsize=256)
def _stream_key(seed: int, stream: str) -> int:
    bits = (seed * _GOLDEN + crc32(stream.encode())) & _MASK
    bits = ((bits ^ (bits >> 30)) * _MIX_1) & _MASK
    bits = ((bits ^ (bits >> 27)) * _MIX_2) & _MASK
    return bits ^ (bits >> 31)
