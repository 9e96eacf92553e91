"""``ecommerce-platform bench``: compares the platform with plain SQL, on the same files and the same server.

Longer than other modules: it is one measurement, in the order in which it happens.

Both start from the exported CSV files and an empty database with all tables, and end with all tables filled, keyed and
indexed: (a) the platform in a new process, including Dagster, checks and extracts, and (b) sql/baseline run by psql
with ``\\copy``, without Dagster or checks. At the end, the contents of both are compared by checksum; dbt, if asked, is
a third side (:mod:`.bench_dbt`). The benchmark uses its own folder and server.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from ecommerce_platform.cli import bench_day
from ecommerce_platform.layers import LAYERS
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.settings import PREFIX, PROJECT_DIR, SQL_DIR

FIRST_DAY = dt.date(2024, 1, 1)
DAYS = 365
MORE_DAYS = 3
"""Days that are then loaded one by one. For the first, the server's cache is full of other tables."""

CUSTOMERS_PER_ORDER = 0.1
"""Registered customers per order, so that customers have about the same number of orders per year at every size."""

BASELINE_FILES = ("1_prepare", "2_load", "2_staging_keys", "3_production", "4_warehouse", "5_keys", "6_analytics")
COMPARED_SCHEMAS = ("staging", "production", "warehouse", "analytics")
NOT_COMPARED = frozenset({"analytics.sales_forecast"})
"""Computed in Python, and only where an optional package is installed."""
FROM_FILES = "not group:raw"

Say = Callable[[str], None]


class BenchError(RuntimeError):
    """A benchmark that failed, or whose two sides differ. The message names the step or the table."""


@dataclass(frozen=True)
class Measured:
    """The result of one benchmark, in seconds unless the name has another unit.

    Attributes:
        orders: order rows in the files.
        rows: rows of all feeds.
        platform_s: the platform's process from start to end, without generating the files.
        baseline_s: psql from start to end.
        ratio: platform_s / baseline_s.
        staging_ratio: staging of the platform / the baseline's, with its keys and indexes.
        dbt_s: psql's load and ``dbt build`` from start to end; None without ``--dbt``.
        dbt_ratio: platform_s / dbt_s.
        checks_share: share of platform_s spent in check steps, from 0 to 1.
        dagster_share: share of platform_s spent neither in check steps nor in the assets' own work, from 0 to 1.
        peak_python_mb: peak resident memory (10**6 bytes) of all the platform's processes together.
        generation_rows_per_s: rows that one process generates and writes per second.
        phases: seconds per layer of the platform, per layer's checks, and per file of the baseline.
        next_day_s: one more day in a new process, from its landed files on; the median of ``next_days_s``.
        next_day_start_s: the part of it before the run began.
        next_days_s: each of the days after the year, in order.
        plain_day_s: a day's files and the same statements, replayed by psql; another day, scaled to the number of
            orders of ``next_day_s``; see :mod:`.bench_day`.
        day_ratio: next_day_s / plain_day_s.
        import_s: a new process that imports the definitions.
        queries_ms: milliseconds of each extract's SELECT, with a warm cache.
    """

    orders: int
    rows: int
    platform_s: float
    baseline_s: float
    ratio: float
    staging_ratio: float
    dbt_s: float | None
    dbt_ratio: float | None
    checks_share: float
    dagster_share: float
    peak_python_mb: float
    generation_rows_per_s: int
    phases: Mapping[str, float]
    next_day_s: float
    next_day_start_s: float
    next_days_s: Sequence[float]
    plain_day_s: float
    day_ratio: float
    import_s: float
    queries_ms: Mapping[str, float]

    def to_json(self) -> str:
        """As a JSON object, by attribute."""
        return json.dumps(asdict(self), indent=2)


def run_bench(orders: int, folder: Path, say: Say, plans: Path | None = None, with_dbt: bool = False) -> Measured:
    """Measure the platform and the baseline on about ``orders`` orders over 365 days.

    Args:
        orders: the number of orders in the files, accurate to a few per thousand.
        folder: must not exist; holds the files and the server, about 2 KB per order, and is removed at the end.
        say: called with each progress message.
        plans: a file for the plans of the extracts' SELECTs, with their times.
        with_dbt: measure dbt, too; see :mod:`.bench_dbt`.

    Raises:
        BenchError: a step failed, or the contents of two sides differ.
    """
    if with_dbt:
        from ecommerce_platform.cli.bench_dbt import require_dbt

        require_dbt()
    if folder.exists():
        raise BenchError(f"{folder} already exists: remove it, or choose another folder")
    folder.mkdir(parents=True)
    bench = Workplace(folder, _shop_of(orders))
    try:
        return bench.run(say, plans, with_dbt)
    finally:
        bench.close()


class Workplace:
    """A folder with a separate platform: its settings, its files, its server.

    Args:
        folder: an empty folder; :meth:`close` removes it.
        shop: settings of the synthetic shop, as environment variables.
    """

    def __init__(self, folder: Path, shop: Mapping[str, str]):
        self.folder = folder
        self.data = folder / "data"
        self.last_day = FIRST_DAY + dt.timedelta(days=DAYS - 1)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
            **shop,
            f"{PREFIX}DATA_DIR": str(self.data),
            "DAGSTER_HOME": str(PROJECT_DIR),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }

    def run(self, say: Say, plans: Path | None = None, with_dbt: bool = False) -> Measured:
        """Measure all sides; see :func:`run_bench`."""
        say("generating the files")
        made = self.child("generate", FIRST_DAY, self.last_day)
        say(f"{made['rows']:,} rows, {made['orders']:,} orders in {made['seconds']:.1f} s")
        url = self.child("prepare")["url"]
        import_s = self._seconds([sys.executable, "-c", "import ecommerce_platform.definitions"])
        say("the platform")
        platform = self.load(FIRST_DAY, self.last_day, FROM_FILES)
        say(f"{platform.seconds:.1f} s; the baseline")
        baseline = self._baseline(url, say)
        baseline_s = sum(baseline.values())
        say(f"{baseline_s:.1f} s; comparing")
        require_equal(url, EmbeddedPostgres(self.data / "postgres").url("baseline"), "the baseline")
        queries = explain_extracts(url)
        if plans is not None:
            plans.write_text("\n\n".join(f"-- {name}\n{plan}" for name, (_, plan) in queries.items()), encoding="utf-8")
        # Vacuuming the baseline's tables would occupy a core while the next days are loaded.
        self.drop(url, "baseline")
        dbt = self._dbt(url, say) if with_dbt else {}
        say("the next days")
        days = [self.last_day + dt.timedelta(days=number) for number in range(1, MORE_DAYS + 1)]
        replayed = days[-1] + dt.timedelta(days=1)
        self.land(days[0], replayed + dt.timedelta(days=1))
        next_days = [self.load(day, day) for day in days]
        say("a day as plain SQL")
        day, next_day = sorted(zip(days, next_days, strict=True), key=lambda pair: pair[1].seconds)[MORE_DAYS // 2]
        plain_day_s = bench_day.measure(self, url, replayed, self.landed_orders(day))
        checks_s = platform.checks_s
        phases = {f"platform {layer}": _seconds_of(platform.steps, f"{layer}__") for layer in list(LAYERS)[1:]}
        phases |= {f"platform checks of {layer}": _seconds_of(platform.steps, f"check__{layer}") for layer in LAYERS}
        phases["platform dagster and start"] = platform.seconds - checks_s - platform.written_s
        phases |= {f"baseline {name}": seconds for name, seconds in baseline.items()}
        phases |= {f"dbt {name}": seconds for name, seconds in dbt.items()}
        return Measured(
            orders=made["orders"],
            rows=made["rows"],
            platform_s=round(platform.seconds, 2),
            baseline_s=round(baseline_s, 2),
            ratio=round(platform.seconds / baseline_s, 3),
            staging_ratio=round(phases["platform staging"] / (baseline["2_load"] + baseline["2_staging_keys"]), 3),
            dbt_s=round(sum(dbt.values()), 2) if dbt else None,
            dbt_ratio=round(platform.seconds / sum(dbt.values()), 3) if dbt else None,
            checks_share=round(checks_s / platform.seconds, 3),
            dagster_share=round((platform.seconds - checks_s - platform.written_s) / platform.seconds, 3),
            peak_python_mb=round(platform.peak_bytes / 1e6, 1),
            generation_rows_per_s=round(made["rows"] / made["seconds"]),
            phases={name: round(seconds, 2) for name, seconds in phases.items() if seconds},
            next_day_s=round(next_day.seconds, 2),
            next_day_start_s=round(next_day.start_s, 2),
            next_days_s=[round(run.seconds, 2) for run in next_days],
            plain_day_s=round(plain_day_s, 2),
            day_ratio=round(next_day.seconds / plain_day_s, 3),
            import_s=round(import_s, 2),
            queries_ms={name: round(milliseconds, 1) for name, (milliseconds, _) in queries.items()},
        )

    def landed_orders(self, day: dt.date) -> int:
        """The number of orders in a landed file."""
        file = self.folder / "landing" / "transactions" / f"{day}.csv"
        return len(file.read_bytes().splitlines()) - 1

    def land(self, first: dt.date, last: dt.date) -> None:
        """Put the files of some days into a landing folder, as a shop does, and take each further day from there."""
        from ecommerce_platform.feeds.columns import FEEDS

        self.child("generate", first, last)
        landing = self.folder / "landing"
        for feed in FEEDS:
            (landing / feed).mkdir(parents=True)
            for number in range((last - first).days + 1):
                name = f"{first + dt.timedelta(days=number)}.csv"
                (self.data / "raw" / feed / name).rename(landing / feed / name)
        self.environment |= {
            f"{PREFIX}SOURCE": "landing",
            f"{PREFIX}LANDING_DIR": str(landing),
            f"{PREFIX}LANDING_REST_SECONDS": "0",
        }

    def close(self) -> None:
        """Stop the server and remove the folder."""
        try:
            if (self.data / "postgres").exists():
                self.child("stop")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def child(self, command: str, *arguments: object) -> dict[str, Any]:
        """Run a command of :mod:`.bench_steps` in its own process, with the workplace's settings.

        Returns:
            The command's result: for ``prepare``, the database's ``url``.

        Raises:
            BenchError: the command failed; the message has its error output.
        """
        done = subprocess.run(  # noqa: S603
            self._command(command, *arguments), env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BenchError(f"{command}: {done.stderr.strip()[-2000:]}")
        return json.loads(done.stdout.strip().splitlines()[-1])

    @staticmethod
    def _command(command: str, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "ecommerce_platform.cli.bench_steps", command, *map(str, arguments)]

    def _seconds(self, command: Sequence[str]) -> float:
        begin = time.monotonic()
        subprocess.run(command, env=self.environment, check=True, cwd=PROJECT_DIR)  # noqa: S603
        return time.monotonic() - begin

    def load(self, first: dt.date, last: dt.date, select: str | None = None) -> Run:
        """Load some days in a new process, as the daily job does.

        Raises:
            BenchError: the run failed; its output shows why.
        """
        began_at, begin = time.time(), time.monotonic()
        answer = self.folder / "answer.json"
        child = subprocess.Popen(  # noqa: S603
            self._command("load", first, last, answer, *([select] if select else [])),
            env=self.environment,
            stdout=subprocess.DEVNULL,
        )
        with _peak_memory(child.pid) as peak:
            code = child.wait()
        seconds = time.monotonic() - begin
        if code != 0:
            raise BenchError(f"the platform's run over {first} to {last} failed; its messages are above")
        said = self.child("steps", json.loads(answer.read_text(encoding="utf-8"))["run_id"])
        return Run(seconds, said["started_at"] - began_at, said["steps"], said["written_s"], peak[0])

    def _baseline(self, url: str, say: Say) -> dict[str, float]:
        from ecommerce_platform.postgres.ddl import apply_ddl

        server = EmbeddedPostgres(self.data / "postgres")
        server.create_database("baseline")
        own = server.url("baseline")
        apply_ddl(own)
        load = self.folder / "2_load.sql"
        load.write_text(load_script(self.data / "raw", FIRST_DAY, self.last_day), encoding="utf-8")
        seconds: dict[str, float] = {}
        for name in BASELINE_FILES:
            file = load if name == "2_load" else SQL_DIR / "baseline" / f"{name}.sql"
            seconds[name] = run_psql(server, own, file)
        return seconds

    def _dbt(self, url: str, say: Say) -> dict[str, float]:
        from ecommerce_platform.cli.bench_dbt import measure

        say("dbt")
        try:
            return measure(self, url, say)
        finally:
            self.drop(url, "dbt")

    @staticmethod
    def drop(url: str, database: str) -> None:
        """Drop another database of the server of ``url``."""
        import psycopg
        from psycopg import sql

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))


@dataclass(frozen=True)
class Run:
    """A run of the platform in its own process.

    Attributes:
        seconds: from the start to the end of the process.
        start_s: from the start of the process to the start of the run.
        steps: seconds per step; where two run side by side, each gets half.
        written_s: seconds of the assets' own work: generating files, and the transactions of the tables.
        peak_bytes: peak resident memory.
    """

    seconds: float
    start_s: float
    steps: Mapping[str, float]
    written_s: float
    peak_bytes: int

    @property
    def checks_s(self) -> float:
        """Seconds spent in check steps."""
        return _seconds_of(self.steps, "check__")


def _seconds_of(steps: Mapping[str, float], prefix: str) -> float:
    return sum(seconds for name, seconds in steps.items() if name.startswith(prefix))


def _shop_of(orders: int) -> dict[str, str]:
    """Settings of a shop whose first year has about the given number of orders."""
    from ecommerce_platform.shop import orders as shop_orders
    from ecommerce_platform.shop.settings import ShopSettings

    trial = ShopSettings(first_day=FIRST_DAY, orders_per_day=1_000)
    year = sum(shop_orders.count(trial, FIRST_DAY + dt.timedelta(days=number)) for number in range(DAYS))
    per_day = max(1, round(1_000 * orders / year))
    customers = max(10, round(orders * CUSTOMERS_PER_ORDER))
    return {
        f"{PREFIX}FIRST_DAY": FIRST_DAY.isoformat(),
        f"{PREFIX}ORDERS_PER_DAY": str(per_day),
        f"{PREFIX}CUSTOMERS": str(customers),
    }


@contextmanager
def _peak_memory(pid: int) -> Generator[list[int]]:
    """The peak resident bytes of a process and its children together, sampled ten times per second."""
    import psutil

    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.1):
            try:
                process = psutil.Process(pid)
                held = sum(each.memory_info().rss for each in [process, *process.children(recursive=True)])
            except psutil.Error:
                continue
            peak[0] = max(peak[0], held)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def run_psql(server: EmbeddedPostgres, url: str, file: Path, *, in_one_transaction: bool = True) -> float:
    """Run a file by psql, in sql/baseline; return its seconds.

    Raises:
        BenchError: a statement failed; the message has psql's error.
    """
    from psycopg.conninfo import make_conninfo

    options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-o", os.devnull, "-f", str(file)]
    if in_one_transaction:
        options.append("-1")
    begin = time.monotonic()
    done = subprocess.run(  # noqa: S603
        [str(server.binary("psql")), *options, make_conninfo(url)],
        cwd=SQL_DIR / "baseline",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchError(f"{file.name}: {done.stderr.strip()[-2000:]}")
    return time.monotonic() - begin


def require_equal(ours: str, theirs: str, name: str) -> None:
    """Compare the four layers of the platform's database with those of another one.

    Args:
        ours: the URL of the platform's database.
        theirs: the URL of the other one.
        name: who filled the other one, for the message.

    Raises:
        BenchError: a table differs; the message names each, with its rows.
    """
    held, other, nothing = contents(ours), contents(theirs), (0, 0)
    different = [table for table in sorted({*held, *other}) if held.get(table) != other.get(table)]
    if different:
        said = "; ".join(
            f"{table}: {held.get(table, nothing)[0]:,} rows against {other.get(table, nothing)[0]:,}"
            for table in different
        )
        raise BenchError(f"the contents of the platform and of {name} differ. {said}")


def load_script(raw: Path, first: dt.date, last: dt.date) -> str:
    """The psql script that copies the files of some days into the baseline's staging tables.

    For each file, the columns that it does not contain get defaults: its day, its name and its row numbers.
    """
    from ecommerce_platform.feeds.columns import FEEDS

    lines = [f"truncate {', '.join(f'staging.{feed}' for feed in FEEDS)};"]
    loads = count(1)
    for feed, columns in FEEDS.items():
        for number in range((last - first).days + 1):
            day = first + dt.timedelta(days=number)
            path = str(raw / feed / f"{day}.csv").replace("'", "''")
            lines += [
                f"alter table staging.{feed} alter column partition_date set default '{day}',"
                f" alter column source_file set default '{feed}/{day}.csv',"
                f" alter column load_id set default {next(loads)};",
                "select setval('public.baseline_row', 1, false);",
                rf"\copy staging.{feed} ({', '.join(columns)}) from '{path}' with (format csv, header, null '\N')",
            ]
    return "\n".join(lines) + "\n"


def contents(url: str) -> dict[str, tuple[int, int]]:
    """The number of rows and a checksum of every table of the four layers, independent of load order and time."""
    import psycopg
    from psycopg import sql

    held: dict[str, tuple[int, int]] = {}
    with psycopg.connect(url) as connection:
        columns = connection.execute(
            """
            select table_schema, table_name, array_agg(column_name::text order by ordinal_position)
            from information_schema.columns
            join information_schema.tables using (table_schema, table_name)
            where
                table_schema = any(%s)
                and table_type = 'BASE TABLE'
                and table_schema || '.' || table_name <> all(%s)
                and column_name not in ('load_id', 'loaded_at')
            group by table_schema, table_name
            order by table_schema, table_name
            """,
            (list(COMPARED_SCHEMAS), sorted(NOT_COMPARED)),
        ).fetchall()
        for schema, table, names in columns:
            row = connection.execute(
                sql.SQL("select count(*), coalesce(bit_xor(hash_record_extended(row({}), 0)), 0) from {}").format(
                    sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(schema, table)
                )
            ).fetchone()
            assert row is not None
            held[f"{schema}.{table}"] = (row[0], row[1])
    return held


def explain_extracts(url: str) -> dict[str, tuple[float, str]]:
    """The milliseconds and the plan of each extract's SELECT, for its second execution."""
    import psycopg

    from ecommerce_platform.checks.outcome import as_sql

    explained: dict[str, tuple[float, str]] = {}
    with psycopg.connect(url) as connection:
        for path in sorted((SQL_DIR / "transform" / "analytics").glob("*.sql")):
            statement = as_sql(f"explain (analyze, buffers) {path.read_text(encoding='utf-8')}")
            for _ in range(2):
                lines = [str(line) for (line,) in connection.execute(statement)]
            times = [float(line.split()[2]) for line in lines if line.startswith(("Planning Time", "Execution Time"))]
            explained[path.stem] = (sum(times), "\n".join(lines))
    return explained
