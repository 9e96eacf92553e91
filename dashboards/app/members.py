"""The members of a dimension with very many of them, such as customers, in as little memory as their text takes."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute

LONGEST_NUMBER = 18
"""Digits of the longest number that fits into 64 bits."""


def numbers_first(member: str) -> tuple[bool, int, str]:
    """The sort key of identifiers: numbers by their value, then all others by their text."""
    is_number = member.isascii() and member.isdigit()
    return not is_number, int(member) if is_number and len(member) <= LONGEST_NUMBER else 0, member


class Members(Sequence[str]):
    """Distinct identifiers, in the order of :func:`numbers_first`; like a list, but ``in`` takes logarithmic time."""

    def __init__(self, texts: pa.StringArray):
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[str]: ...
    def __getitem__(self, place):
        return self._texts[place].to_pylist() if isinstance(place, slice) else self._texts[int(place)].as_py()

    def __contains__(self, member: object) -> bool:
        return isinstance(member, str) and self.code(member) is not None

    def code(self, member: str) -> int | None:
        """The position of a member; None if there is no such member."""
        place = bisect_left(self, numbers_first(member), key=numbers_first)
        return place if place < len(self) and self[place] == member else None

    def beginning_with(self, prefix: str, most: int) -> list[str]:
        """The first members that begin with a text, whether in upper or lower case."""
        places = np.flatnonzero(pc.starts_with(self._texts, prefix, ignore_case=True).to_numpy(zero_copy_only=False))
        return [self[place] for place in places[:most].tolist()]


def coded(values: pa.ChunkedArray) -> tuple[Members, np.ndarray]:
    """The members among some identifiers, and the position of each identifier's member."""
    # Of several chunks, each would get a dictionary of its own with all members so far.
    encoded = values.combine_chunks().dictionary_encode()
    texts = encoded.dictionary
    is_number = pc.match_substring_regex(texts, r"^[0-9]+$")
    is_short = pc.less_equal(pc.binary_length(texts), LONGEST_NUMBER)
    number = pc.cast(pc.if_else(pc.and_(is_number, is_short), texts, "0"), pa.int64())
    keys = pa.table({"is_text": pc.invert(is_number), "number": number, "text": texts})
    order = pc.sort_indices(keys, [("is_text", "ascending"), ("number", "ascending"), ("text", "ascending")])
    place = np.empty(len(texts), np.int32)
    place[order.to_numpy()] = np.arange(len(texts), dtype=np.int32)
    return Members(texts.take(order)), place[encoded.indices.to_numpy()]
