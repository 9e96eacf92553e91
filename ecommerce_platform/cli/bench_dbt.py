"""``ecommerce-platform bench --dbt``: the same tables by dbt, from the same files and on the same server.

The dbt project is ``ecommerce_platform_tests/benchmarks/dbt``. Its models are no second copy of the SQL: they are
written from ``sql/baseline``, ``sql/transform/analytics`` and the views of ``sql/ddl``, with each table replaced by
``ref`` or ``source``, and their tests follow from the contracts in ``sql/manifest.json``.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecommerce_platform.cli.bench import (
    FIRST_DAY,
    NOT_COMPARED,
    BenchError,
    Say,
    Workplace,
    load_script,
    require_equal,
    run_psql,
)
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.postgres.embedded import EmbeddedPostgres
from ecommerce_platform.settings import PROJECT_DIR, SQL_DIR
from ecommerce_platform.tables.manifest import Entry, entry, tables

PROJECT = PROJECT_DIR / "ecommerce_platform_tests" / "benchmarks" / "dbt"
PYTHON = PROJECT_DIR / ".venv-dbt" / "bin" / "python"

BUILT_LAYERS = ("production", "warehouse", "analytics")
ONLY_READ = frozenset({"production.identifiers"})
"""The synthetic shop's identifiers are numbers, so this table stays empty."""

THREADS = os.cpu_count() or 1
"""Models and tests at a time. On two cores, one and four threads were no faster than two."""

_INSERT = re.compile(r"insert into (\w+\.\w+) \(([^)]*)\)\s+(.*)", re.DOTALL)
_WORK = re.compile(r"create temp table (\w+) as\s+(.*)", re.DOTALL)
_VIEW = re.compile(r"create or replace view (\w+\.\w+) as\s+(.*)", re.DOTALL)
_TABLE = re.compile(r"\b\w+\.\w+\b(?!\()|(?<=\bfrom )\w+\b(?!\()|(?<=\bjoin )\w+\b(?!\()")
_ACCEPTED = re.compile(r"(\w+): isin\((\[.*\])\)")


@dataclass(frozen=True)
class Model:
    """A model of the dbt project.

    Attributes:
        table: what it makes, as schema.table; a temporary table of the baseline becomes work.NAME.
        folder: its folder in models, which says how it is materialized: tables, work or views.
        select: its SELECT, with tables named as in the platform.
    """

    table: str
    folder: str
    select: str

    @property
    def name(self) -> str:
        """Its name in dbt."""
        return _name(self.table)


def require_dbt() -> None:
    """Raise BenchError unless dbt is installed."""
    if not PYTHON.exists():
        raise BenchError(
            f"dbt is not installed in {PYTHON.parent.parent}. To install it and measure, run: make bench-dbt"
        )


def measure(bench: Workplace, url: str, say: Say) -> dict[str, float]:
    """Load the files of a benchmark by psql, run ``dbt build``, and compare every table with the platform's.

    Args:
        bench: the folder, the files and the server of the benchmark.
        url: the platform's database, filled.
        say: called with each progress message.

    Returns:
        Seconds of the load, of the keys and indexes of staging, and of ``dbt build``, in this order.

    Raises:
        BenchError: a step failed, or a table differs from the platform's.
    """
    from ecommerce_platform.postgres.ddl import apply_ddl

    server = EmbeddedPostgres(bench.data / "postgres")
    server.create_database("dbt")
    own = server.url("dbt")
    apply_ddl(own)
    for file in (SQL_DIR / "baseline" / "1_prepare.sql", PROJECT / "prepare.sql"):
        run_psql(server, own, file)
    project = bench.folder / "dbt"
    write_project(project)
    load, keys = project / "load.sql", project / "keys.sql"
    load.write_text(load_script(bench.data / "raw", FIRST_DAY, bench.last_day), encoding="utf-8")
    staging = ", ".join(f"staging.{feed}" for feed in FEEDS)
    keys.write_text(f"call public.baseline_put_back('staging.%');\nanalyze {staging};\n", encoding="utf-8")
    # As for any project that is built every day, its files are parsed already.
    run_dbt("parse", project, own)
    seconds = {
        "load": run_psql(server, own, load),
        "keys of staging": run_psql(server, own, keys),
        "build": run_dbt("build", project, own),
    }
    say(f"{sum(seconds.values()):.1f} s, with {counts(project)}; comparing")
    require_equal(url, own, "dbt")
    return seconds


def run_dbt(command: str, project: Path, url: str) -> float:
    """Run a command of dbt in a project that :func:`write_project` wrote; return its seconds.

    Raises:
        BenchError: it failed, as does a build with a failing test; the message has the end of dbt's output.
    """
    from psycopg.conninfo import conninfo_to_dict

    target = conninfo_to_dict(url)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("DBT_")},
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "False",
        "BENCH_DBT_HOST": str(target["host"]),
        "BENCH_DBT_PORT": str(target["port"]),
        "BENCH_DBT_USER": str(target["user"]),
        "BENCH_DBT_DATABASE": str(target["dbname"]),
        "BENCH_DBT_THREADS": str(THREADS),
    }
    options = ["--project-dir", str(project), "--profiles-dir", str(project)]
    begin = time.monotonic()
    done = subprocess.run(  # noqa: S603
        [str(PYTHON), "-c", "from dbt.cli.main import cli; cli()", "--no-use-colors", command, *options],
        env=environment,
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        # Before this, a build lists what it skipped.
        said = (done.stdout + done.stderr).strip().rpartition("Completed with ")[2]
        raise BenchError(f"dbt {command}: {said[-2000:]}")
    return time.monotonic() - begin


def counts(project: Path) -> str:
    """What the last ``dbt build`` of a project did: "52 models in 9.1 s and 120 tests in 3.2 s".

    The seconds are those of all threads together.
    """
    results = json.loads((project / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
    said = []
    for kind in ("model", "test"):
        spent = [result["execution_time"] for result in results if result["unique_id"].startswith(f"{kind}.")]
        said.append(f"{len(spent)} {kind}s in {sum(spent):.1f} s")
    return " and ".join(said)


def write_project(folder: Path) -> None:
    """Write the dbt project with its models and tests into a folder that does not exist."""
    shutil.copytree(PROJECT, folder)
    all_models = models()
    references = {table: _source(table) for table in sources()} | {
        model.table.removeprefix("work."): f"{{{{ ref('{model.name}') }}}}" for model in all_models
    }
    for model in all_models:
        path = folder / "models" / model.folder / f"{model.name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        select = _TABLE.sub(lambda found: references.get(found[0], found[0]), model.select)
        path.write_text(f"{select}\n", encoding="utf-8")
    # JSON is YAML, too.
    (folder / "models" / "properties.yml").write_text(json.dumps(properties(), indent=2), encoding="utf-8")


def models() -> list[Model]:
    """All models: the tables of three layers, what they need on the way, and the views that they read."""
    found = []
    for file in ("3_production", "4_warehouse"):
        for statement in _statements(SQL_DIR / "baseline" / f"{file}.sql"):
            if insert := _INSERT.fullmatch(statement):
                found.append(_table(insert[1], insert[3], insert[2].split(",")))
            elif work := _WORK.fullmatch(statement):
                found.append(Model(f"work.{work[1]}", "work", work[2]))
    for path in sorted((SQL_DIR / "transform" / "analytics").glob("*.sql")):
        table = f"analytics.{path.stem}"
        (select,) = _statements(path)
        found.append(_table(table, select, [column.name for column in entry(table).columns]))
    return [*found, *_views(found)]


def sources() -> list[str]:
    """The tables that dbt reads and does not make, as schema.table."""
    return [*(f"staging.{feed}" for feed in FEEDS), *sorted(ONLY_READ)]


def properties() -> dict[str, Any]:
    """The sources, and the tests of the tables: keys, references and accepted values of their contracts."""
    schemas: dict[str, list[str]] = {}
    for table in sources():
        schema, name = table.split(".")
        schemas.setdefault(schema, []).append(name)
    return {
        "sources": [
            {"name": schema, "tables": [{"name": name} for name in names]} for schema, names in schemas.items()
        ],
        "models": [
            {
                "name": _name(table),
                "columns": _tests_of_columns(entry(table)),
                "data_tests": _tests_of_rows(entry(table)),
            }
            for table in built_tables()
        ],
    }


def built_tables() -> list[str]:
    """The tables that dbt makes, as schema.table."""
    left_out = ONLY_READ | NOT_COMPARED
    return [table for table in tables() if table.split(".")[0] in BUILT_LAYERS and table not in left_out]


def _table(table: str, select: str, given: Iterable[str]) -> Model:
    """A table of the platform: its columns, in its order and with its types, from a SELECT of the given ones."""
    names = [name.strip() for name in given]
    columns = ",\n".join(
        f"    {column.name if column.name in names else _generated(column.name)}::{column.type} as {column.name}"
        for column in entry(table).columns
    )
    return Model(table, "tables", f"select\n{columns}\nfrom (\n{select}\n) as given ({', '.join(names)})")


def _generated(column: str) -> str:
    """The expression of a column that is computed from others of its row, as sql/ddl says."""
    pattern = re.compile(rf"^    {column} \w+ generated always as (\(.*?\)) stored", re.DOTALL | re.MULTILINE)
    found = [
        match[1] for path in sorted((SQL_DIR / "ddl").glob("*.sql")) for match in pattern.finditer(path.read_text())
    ]
    if len(found) != 1:
        raise BenchError(f"sql/baseline does not fill the column {column}, and sql/ddl does not generate it")
    return found[0]


def _views(readers: Iterable[Model]) -> list[Model]:
    """The views that some models read, and the views that these read."""
    written = {
        view[1]: view[2]
        for path in (SQL_DIR / "ddl" / "060_rules.sql", SQL_DIR / "ddl" / "241_customer_rfm.sql")
        for statement in _statements(path)
        if (view := _VIEW.fullmatch(statement))
    }
    found: dict[str, Model] = {}
    selects = [model.select for model in readers]
    while selects:
        for table in _TABLE.findall(selects.pop()):
            if table in written and table not in found:
                found[table] = Model(table, "views", written[table])
                selects.append(written[table])
    return list(found.values())


def _statements(path: Path) -> list[str]:
    """The statements of a file, without comments, which would otherwise refer to tables."""
    text = re.sub(r"--[^\n]*", "", path.read_text(encoding="utf-8"))
    return [statement.strip() for statement in re.split(r";\s*\n", f"{text}\n") if statement.strip()]


def _tests_of_columns(table: Entry) -> list[dict[str, Any]]:
    tests: dict[str, list[Any]] = {name: ["not_null"] for name in table.key}
    if len(table.key) == 1:
        tests[table.key[0]].append("unique")
    for key in table.references:
        if len(key.columns) == 1:
            tests.setdefault(key.columns[0], []).append(_relationship(key.table, key.referenced[0]))
    for rule in (*table.contract.rules, *table.contract.enforced):
        if accepted := _ACCEPTED.fullmatch(rule):
            # dbt puts a value between quotes as it is.
            given = ast.literal_eval(accepted[2])
            values = [value.replace("'", "''") if isinstance(value, str) else value for value in given]
            tests.setdefault(accepted[1], []).append({"accepted_values": {"arguments": {"values": values}}})
    return [{"name": name, "data_tests": each} for name, each in tests.items()]


def _tests_of_rows(table: Entry) -> list[dict[str, Any]]:
    """Tests of several columns together, which dbt takes as a row: ``(transaction_id, item_id)``."""
    tests = []
    if len(table.key) > 1:
        tests.append({"unique": {"arguments": {"column_name": f"({', '.join(table.key)})"}}})
    for key in table.references:
        if len(key.columns) > 1:
            test = _relationship(key.table, f"({', '.join(key.referenced)})")
            test["relationships"]["arguments"]["column_name"] = f"({', '.join(key.columns)})"
            tests.append(test)
    return tests


def _relationship(table: str, field: str) -> dict[str, Any]:
    return {"relationships": {"arguments": {"to": f"ref('{_name(table)}')", "field": field}}}


def _name(table: str) -> str:
    return table.replace(".", "__")


def _source(table: str) -> str:
    schema, name = table.split(".")
    return f"{{{{ source('{schema}', '{name}') }}}}"
