"""Accounting: every row of every file is exactly one of kept, superseded and rejected (promise 2)."""

from __future__ import annotations

from collections.abc import Mapping

from ecommerce_platform.checks.checksum import checksum
from ecommerce_platform.checks.fates import FATES
from ecommerce_platform.checks.outcome import (
    IN_WINDOW,
    SAMPLES,
    CheckOutcome,
    TableCheck,
    as_sql,
    count_and_samples,
    show,
    window_parameters,
)
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.io_managers.modes import Window

ONCE = "offset bigint '0'"
"""Prevents a subquery's columns from being recomputed at each use. Parallel workers can run such a subquery only if the
number needs no conversion."""

WRONG = "(is_altered or is_kept::integer + is_superseded::integer + is_rejected::integer <> 1)"


def rows_are_accounted_for() -> TableCheck:
    """The conservation check of all feeds: counts each class, and finds rows in none or in more than one."""

    def evaluate(connection: ClientConnection, window: Window) -> CheckOutcome:
        parameters = window_parameters(window)
        displaced = connection.execute("select min(entity) from production.displaced_identifiers").fetchone()
        has_displaced = displaced != (None,)
        is_spread = describe(connection, "production", "transactions").placement == "spread"
        violations = rows_tested = 0
        samples: list[Mapping[str, str | None]] = []
        metadata: dict[str, int] = {}
        for feed in FATES:
            per_day = connection.execute(
                as_sql(_per_day(feed, has_displaced, is_spread=is_spread)), parameters
            ).fetchall()
            suspects = [row for row in per_day if row[6]]
            for day, in_file, found, kept, superseded, rejected, _ in suspects:
                if in_file != found or found != kept + superseded + rejected:
                    text = f"{in_file} in file, {found} staged, {kept} kept, {superseded} superseded"
                    text += f", {rejected} rejected"
                    samples.append({"feed": feed, "partition_date": str(day), "source_row": None, "fault": text})
            wrong = 0
            if suspects:
                wrong, rows = count_and_samples(connection, _wrong_rows(feed, is_spread=is_spread), parameters)
                samples += [{"feed": feed, **sample} for sample in rows]
            violations += wrong + sum(row[1] != row[2] for row in per_day)
            if suspects and not wrong:
                violations += sum(row[1] == row[2] for row in suspects)
            rows_tested += sum(row[2] for row in per_day)
            for name, position in (("kept", 3), ("superseded", 4), ("rejected", 5)):
                metadata[f"{feed}_{name}"] = sum(row[position] for row in per_day)
            late, unpassed = count_and_samples(connection, _not_passed(feed), parameters)
            violations += late
            samples += [{"feed": feed, **sample} for sample in unpassed]
        rows_first = sorted(samples, key=lambda sample: sample.get("source_row") is None)
        if violations:
            text = f"{violations:,} of {rows_tested:,} rows are not in exactly one of kept, superseded and rejected."
            text += f" First: {show(rows_first)}"
        else:
            text = f"{rows_tested:,} rows are each exactly one of kept, superseded and rejected"
        return CheckOutcome(not violations, rows_tested, violations, text, rows_first[:SAMPLES], metadata)

    return TableCheck(
        "rows_are_accounted_for",
        "production.rejected_rows",
        "Every row of every file is exactly one of kept, superseded by another row with the same key, and rejected."
        " Kept rows have the keys, dates and amounts that were exported.",
        evaluate,
        reads=("production.loaded_days", *(fate.kept for fate in FATES.values())),
    )


def _judged(feed: str, among: str = "", *, is_spread: bool) -> str:
    """A SELECT of the class of each row of the window, or of the rows in ``among`` by day and source row.

    On a cluster, a row is looked up among the kept rows of its order, on the node that has them.
    """
    fate = FATES[feed]
    superseded, once, same_order = fate.superseded, ONCE, ""
    if is_spread:
        superseded, once = superseded.replace("offset 0", ""), ""
        same_order = "and typed.transaction_id = kept.transaction_id" if "transaction_id" in fate.columns else ""
    return f"""
        select
            typed.partition_date,
            typed.source_row,
            kept.source_row is not null as is_kept,
            case when kept.source_row is not null then false else typed.reasons = '' and ({superseded}) end
                as is_superseded,
            rejected.source_row is not null as is_rejected,
            case
                when kept.source_row is null then false
                else ({_columns("kept", feed)}) is distinct from ({_columns("typed", feed)})
            end as is_altered,
            {_checksum("typed", feed)} as checksum
        from (
            select typed.*
            from production.typed_{feed} as typed
            {among and f"inner join {among} using (partition_date, source_row)"}
            where typed.partition_date >= %(start)s and typed.partition_date < %(end)s
            {once}
        ) as typed
        left join {fate.kept} as kept
            on typed.partition_date = kept.partition_date and typed.source_row = kept.source_row {same_order}
        left join production.rejected_rows as rejected
            on rejected.feed = '{feed}' and typed.partition_date = rejected.partition_date
            and typed.source_row = rejected.source_row
    """


def _exported(feed: str, has_displaced: bool) -> str:
    """A SELECT of the rows of a feed in staging, with the columns that are compared.

    The rows of large feeds are typed here, apart from the view that production reads, unless identifiers are displaced:
    only then does a key differ from its bucket.
    """
    fate = FATES[feed]
    columns = "partition_date, staged.source_row, staged.load_id"
    if has_displaced or not fate.exported:
        return f"""
            select staged.{columns}, {_columns("staged", feed)} from production.typed_{feed} as staged where {IN_WINDOW}
        """
    typed = ", ".join(f"{fate.exported[name]} as {name}" for name in fate.columns)
    return f"select staged.{columns}, {typed} from staging.{feed} as staged {fate.beside} where {IN_WINDOW}"


def _columns(of: str, feed: str) -> str:
    return ", ".join(f"{of}.{name}" for name in FATES[feed].columns)


def _checksum(of: str, feed: str) -> str:
    kinds = {
        name: "amount" if (of, kind) == ("kept", "numeric") else kind for name, kind in FATES[feed].columns.items()
    }
    columns = [(f"{of}.{name}", kind) for name, kind in kinds.items() if kind is not None]
    if len(columns) < len(FATES[feed].columns):
        return f"hash_record_extended(row({of}.source_row, {_columns(of, feed)}), 0)"
    return checksum([(f"{of}.source_row", "integer"), *columns])


IN_BLOCK = """
    source_row >> 6 as block, count(*) as found, bit_or(1::bigint << (source_row & 63)) as members
"""
"""The rows of a block of 64 rows of a file, as the bits of one number."""


def _per_day(feed: str, has_displaced: bool, *, is_spread: bool) -> str:
    """A SELECT of the counts of each day, and whether its rows must be checked one by one.

    The rows that are not kept are few, and are classified one by one: the blocks of both tables tell which they are, at
    less cost than a join of the rows. For the rest, it is enough that the checksum of all exported rows equals that of
    the kept rows and these: then each row that production names exists, once, and with the exported values.

    It is one SQL statement, so it stays in one piece. On a cluster, each node adds up its own rows.
    """
    fate = FATES[feed]
    once = "" if is_spread else ONCE
    return f"""
        with exported as materialized (
            select blocks.*
            from (
                select partition_date, load_id, {IN_BLOCK}, bit_xor({_checksum("typed", feed)}) as checksum
                from ({_exported(feed, has_displaced)} {once}) as typed
                group by partition_date, load_id, block
            ) as blocks
            inner join production.loaded_days as loads on blocks.load_id = loads.load_id and loads.feed = '{feed}'
        ),

        held as materialized (
            select partition_date, {IN_BLOCK}, bit_xor({_checksum("kept", feed)}) as checksum
            from {fate.kept} as kept
            where {IN_WINDOW}
            group by partition_date, block
        ),

        others as materialized (
            select exported.partition_date, (exported.block << 6) + places.place as source_row
            from exported
            left join held on exported.partition_date = held.partition_date and exported.block = held.block
            inner join generate_series(0, 63) as places (place)
                on (exported.members & ~coalesce(held.members, 0)) >> places.place & 1 = 1
            where exported.members & ~coalesce(held.members, 0) <> 0
        ),

        staged as (
            select partition_date, sum(found)::bigint as found, bit_xor(checksum) as checksum
            from exported
            group by partition_date
        ),

        kept as (
            select partition_date, sum(found)::bigint as found, bit_xor(checksum) as checksum
            from held
            group by partition_date
        ),

        rejected as (
            select partition_date, count(*) as found
            from production.rejected_rows
            where feed = '{feed}' and {IN_WINDOW}
            group by partition_date
        ),

        judged as (
            select
                partition_date,
                count(*) filter (where is_superseded) as superseded,
                count(*) filter (where is_superseded = is_rejected) as wrong,
                bit_xor(checksum) as checksum
            from ({_judged(feed, "others", is_spread=is_spread)} {once}) as rows
            group by partition_date
        ),

        days as (
            select partition_date, rows_in_file from production.loaded_days where feed = '{feed}' and {IN_WINDOW}
        ),

        added_up as (
            select
                partition_date,
                days.rows_in_file,
                coalesce(staged.found, 0) as found,
                coalesce(kept.found, 0) as kept,
                coalesce(judged.superseded, 0) as superseded,
                coalesce(rejected.found, 0) as rejected,
                coalesce(judged.wrong, 0) as wrong,
                coalesce(staged.checksum, 0) = coalesce(kept.checksum, 0) # coalesce(judged.checksum, 0) as is_unaltered
            from days
            full join staged using (partition_date)
            full join kept using (partition_date)
            full join rejected using (partition_date)
            full join judged using (partition_date)
        )

        select
            partition_date,
            rows_in_file,
            found,
            kept,
            superseded,
            rejected,
            wrong > 0
            or not is_unaltered
            or (rows_in_file, found) is distinct from (found::integer, kept + superseded + rejected) as is_suspect
        from added_up
    """


def _wrong_rows(feed: str, *, is_spread: bool) -> str:
    return f"""
        select
            partition_date,
            source_row,
            case
                when not (is_kept or is_superseded or is_rejected)
                    then 'neither kept, superseded nor rejected'
                when is_altered then 'kept with values that differ from the export'
                else concat_ws(
                    ' and ',
                    case when is_kept then 'kept' end,
                    case when is_superseded then 'superseded' end,
                    case when is_rejected then 'rejected' end
                )
            end as fault
        from ({_judged(feed, is_spread=is_spread)}) as judged
        where {WRONG}
    """


def _not_passed(feed: str) -> str:
    return f"""
        select
            staged.partition_date,
            null as source_row,
            'the staged slice has not passed its checks, or was not checked' as fault
        from (
            select slice as partition_date, load_id
            from platform.slices
            where table_name = 'staging.{feed}' and slice >= %(start)s and slice < %(end)s
        ) as staged
        left join production.loaded_days as days
            on days.feed = '{feed}' and staged.partition_date = days.partition_date
        where staged.load_id is distinct from days.load_id
    """
