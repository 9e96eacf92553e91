"""How staging reads its files."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

from ecommerce_platform.assets.staging import feed_rows
from ecommerce_platform.feeds.columns import FEEDS

DAYS = [dt.date(2024, 1, 1), dt.date(2024, 1, 2), dt.date(2024, 1, 3)]
FEED = "transaction_items"


def peak_of_reading(folder: Path, days: Sequence[dt.date]) -> int:
    """The most bytes that Python holds while it reads the files of some days."""
    rows = feed_rows(folder, FEED, dict.fromkeys(days, 1), dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    tracemalloc.start()
    try:
        for _ in rows.chunks:
            pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_one_file_is_in_memory_at_a_time(tmp_path: Path) -> None:
    """The last rows of a file kept it in memory while the next one was read."""
    # Few long rows: what is made of each is small beside the file.
    lines = "".join(f"{row},1,{'x' * 10_000},1,10.00,0.00,10.00\n" for row in range(800))
    content = f"{','.join(FEEDS[FEED])}\n{lines}"
    for day in DAYS:
        path = tmp_path / FEED / f"{day}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    assert peak_of_reading(tmp_path, DAYS) < peak_of_reading(tmp_path, DAYS[:1]) + len(content) / 2
