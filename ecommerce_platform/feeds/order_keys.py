"""The number that says on which node of a cluster the rows of an order are."""

from __future__ import annotations

import hashlib
import re

import pyarrow as pa

from ecommerce_platform.feeds.columns import BLANKS, FEEDS
from ecommerce_platform.feeds.records import PlainRows, split_record

ORDER = "transaction_id"
UNREADABLE = 0

_PLAIN = re.compile(rb"[1-9][0-9]{0,17}", re.ASCII)
_LONGEST = 200


def order_key(identifier: str | None) -> int:
    """The bucket of an order's identifier, as ``platform.parse_id`` gives it; 0 where that gives null."""
    text = (identifier or "").strip(BLANKS)
    if not text or len(text) > _LONGEST:
        # A number of at most 18 digits is never that long.
        return UNREADABLE
    if _PLAIN.fullmatch(text.encode()):
        return int(text)
    return -16 - int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:14], 16) * 16


def keys_of_batch(batch: pa.RecordBatch) -> pa.Array:
    """The key of each row of a batch of a feed with orders."""
    return pa.array([order_key(value) for value in batch.column(ORDER).to_pylist()], pa.int64())


def keys_of_plain_rows(rows: PlainRows, feed: str) -> list[bytes]:
    """The key of each row, as text."""
    position, width = FEEDS[feed].index(ORDER), len(FEEDS[feed])
    keys = []
    for _, line in rows.lines():
        if b'"' in line:
            values = split_record(line + b"\n", 0, width)[0] or []
            value = values[position]
        else:
            value = line.split(b",", position + 1)[position]
        keys.append(value if _PLAIN.fullmatch(value) else b"%d" % order_key(value.decode()))
    return keys
