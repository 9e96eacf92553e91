"""How staging reads its files."""

from __future__ import annotations

import datetime as dt
import tracemalloc
from pathlib import Path

from ecommerce_platform.assets.staging import feed_rows
from ecommerce_platform.feeds.columns import FEEDS

DAYS = [dt.date(2024, 1, 1), dt.date(2024, 1, 2), dt.date(2024, 1, 3)]


def test_one_file_is_in_memory_at_a_time(tmp_path: Path) -> None:
    """The last rows of a file kept it in memory while the next one was read."""
    header = ",".join(FEEDS["transaction_items"])
    content = header + "\n" + "".join(f"{row},1,1,1,10.00,0.00,10.00\n" for row in range(400_000))
    for day in DAYS:
        path = tmp_path / "transaction_items" / f"{day}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    rows = feed_rows(tmp_path, "transaction_items", dict.fromkeys(DAYS, 1), dt.datetime(2030, 1, 1, tzinfo=dt.UTC))
    tracemalloc.start()
    try:
        for _ in rows.chunks:
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.7 * len(content)
