"""Compares a platform with the independent model: actual and expected table contents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import psycopg

from ecommerce_platform_tests import model
from ecommerce_platform_tests.harness import Platform

# Rows kept and rows rejected, per feed and day.
ACCOUNTED = """
select feed, partition_date, count(*)
from (
    select 'customers' as feed, partition_date from production.customer_versions
    union all select 'products', partition_date from production.product_versions
    union all select 'transactions', partition_date from production.transactions
    union all select 'transaction_items', partition_date from production.transaction_items
    union all select 'returns', partition_date from production.returns
    union all select feed, partition_date from production.rejected_rows
) as rows
group by feed, partition_date
"""


def disagreements(platform: Platform, files: model.Files) -> str:
    """Return the differences between the tables and the model for these files, one line per row; empty if they agree.

    Also accounts for every row of every file: it is kept, rejected, or dropped as a duplicate by the model.
    """
    expected = model.expect(files)
    with psycopg.connect(platform.url) as connection:
        found = {table: Counter(connection.execute(select).fetchall()) for table, select in model.SELECTS.items()}
        accounted = connection.execute(ACCOUNTED).fetchall()
    problems = [differences(found, expected.content)]
    in_tables = Counter({(feed, day): count for feed, day, count in accounted})
    problems += [
        f"{feed} of {day}: {len(files[day][feed])} rows in the file, {in_tables[feed, day]} kept or rejected,"
        f" {dropped} duplicates"
        for (feed, day), dropped in expected.duplicates.items()
        if len(files[day][feed]) != in_tables[feed, day] + dropped
    ]
    return "\n".join(filter(None, problems))


def differences(found: Mapping[str, Counter], expected: Mapping[str, Counter]) -> str:
    """Return the unexpected rows and the missing rows."""
    lines: list[str] = []
    for table in sorted({*found, *expected}):
        there, wanted = found.get(table, Counter()), expected.get(table, Counter())
        lines += [f"{table}: should not hold {row}" for row in there - wanted]
        lines += [f"{table}: should hold {row}" for row in wanted - there]
    return "\n".join(lines)
