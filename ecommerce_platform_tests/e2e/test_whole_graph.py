"""The complete asset graph, run by Dagster with its own storage and server, as ``make up`` runs it."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner
from dagster import AssetKey, DagsterEventType, DagsterInstance

from dashboards.app.health import health_answers, read_health, warnings
from ecommerce_platform import cli
from ecommerce_platform.automation.runner import RunOutcome, run_days
from ecommerce_platform.definitions import defs
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.postgres.ddl import apply_ddl
from ecommerce_platform.resources.database import Database, database_url, embedded_server
from ecommerce_platform.settings import PROJECT_DIR, load_settings
from ecommerce_platform.tables.columns import columns_of
from ecommerce_platform_tests import model
from ecommerce_platform_tests.harness import day

DAYS = 14


class Shop:
    """A platform in a separate folder, set up as ``make up`` does."""

    def __init__(self, data: Path, instance: DagsterInstance, first_run: RunOutcome):
        self.data = data
        self.instance = instance
        self.first_run = first_run
        self.url = database_url(load_settings())

    def rows(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.url) as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(statement)  # type: ignore[arg-type]

    def files(self) -> dict[dt.date, dict[str, list[dict[str, str]]]]:
        """Return the rows of the files on disk, read with the csv module."""
        read: dict[dt.date, dict[str, list[dict[str, str]]]] = {}
        for number in range(1, DAYS + 1):
            read[day(number)] = {}
            for feed in FEEDS:
                path = self.data / "raw" / feed / f"{day(number)}.csv"
                with path.open(newline="", encoding="utf-8") as file:
                    read[day(number)][feed] = list(csv.DictReader(file))
        return read


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    data = tmp_path_factory.mktemp("platform")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "ECOMMERCE_DATA_DIR": str(data),
            "ECOMMERCE_ORDERS_PER_DAY": "60",
            "ECOMMERCE_CUSTOMERS": "400",
            "ECOMMERCE_PRODUCTS": "80",
            "ECOMMERCE_DEFECT_RATE": "0.05",
        }.items():
            patch.setenv(name, value)
        # The commands prepare .env for Dagster; tests must not change the developer's file.
        patch.setattr("ecommerce_platform.instance.home.set_key", lambda *_: None)
        patch.setattr("ecommerce_platform.cli.dotenv.load_dotenv", lambda *_, **__: None)
        load_settings.cache_clear()
        apply_ddl(database_url(load_settings()))
        with DagsterInstance.from_config(str(PROJECT_DIR)) as instance:
            yield Shop(data, instance, run_days(defs, instance, day(1), day(DAYS)))
        embedded_server(load_settings()).stop("immediate")
    load_settings.cache_clear()


def verify(*arguments: str):
    return CliRunner().invoke(cli.main, ["verify", *arguments])


def test_the_run_over_all_days_succeeds(shop: Shop) -> None:
    assert shop.first_run.failures == []
    assert shop.first_run.success


def test_every_table_holds_what_the_files_say(shop: Shop) -> None:
    """The expected values are computed from the CSV files in plain Python, without the platform's SQL."""
    expected = model.expect(shop.files())
    for table, rows in expected.content.items():
        assert Counter(shop.rows(model.SELECTS[table])) == rows, table


def test_the_totals_are_the_sum_of_the_lines_in_the_files(shop: Shop) -> None:
    seen = {
        (row[0], row[1]) for row in shop.rows("select partition_date, source_row from production.transaction_items")
    }
    total = sum(
        Decimal(line["line_total"].strip())
        for date, feeds in shop.files().items()
        for number, line in enumerate(feeds["transaction_items"], 1)
        if (date, number) in seen
    )
    assert total > 100_000
    for table, column in {
        "warehouse.fact_sales": "revenue",
        "warehouse.agg_daily_sales": "revenue",
        "warehouse.agg_product_performance": "revenue",
        "warehouse.agg_customer_metrics": "revenue",
        "analytics.monthly_sales": "revenue",
        "analytics.daily_sales": "revenue",
        "analytics.category_sales": "revenue",
        "analytics.payment_methods": "revenue",
        "analytics.geography": "revenue",
        "analytics.customer_segments": "revenue",
        "analytics.product_profitability": "revenue",
        "analytics.discount_impact": "revenue",
    }.items():
        assert shop.rows(f"select sum({column}) from {table}") == [(total,)], table


def test_an_extract_file_holds_what_its_table_holds(shop: Shop) -> None:
    with (shop.data / "analytics" / "category_sales.csv").open(newline="", encoding="utf-8") as file:
        from_file = {row["category"]: Decimal(row["revenue"]) for row in csv.DictReader(file)}
    assert from_file == dict(shop.rows("select category, revenue from analytics.category_sales"))


def test_every_day_is_a_materialized_partition_with_metadata_of_its_own(shop: Shop) -> None:
    partitions = shop.instance.get_materialized_partitions(AssetKey(["warehouse", "fact_sales"]))
    assert partitions == {day(number).isoformat() for number in range(1, DAYS + 1)}
    event = shop.instance.get_latest_materialization_event(AssetKey(["raw", "customers"]))
    assert event is not None
    assert {"sha256", "bytes"} <= set(event.asset_materialization.metadata)


def metadata_of(shop: Shop, table: str, run_id: str) -> list[tuple[str | None, dict]]:
    """Partition and metadata of each materialization of an asset in a run, oldest first."""
    key = AssetKey(table.split("."))
    events = [
        entry.dagster_event.step_materialization_data.materialization
        for entry in shop.instance.all_logs(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
        if entry.dagster_event is not None
    ]
    return [
        (event.partition, {name: value.value for name, value in event.metadata.items()})
        for event in events
        if event.asset_key == key
    ]


def test_every_materialization_says_how_many_rows_there_are(shop: Shop) -> None:
    run_id = shop.first_run.run_id
    for key in defs.resolve_asset_graph().materializable_asset_keys:
        table = ".".join(key.path)
        events = metadata_of(shop, table, run_id)
        assert events, table
        if table.startswith("raw."):
            lines = {str(date): len(feeds[key.path[1]]) for date, feeds in shop.files().items()}
        else:
            # What a run tells of all days together is told once, with its latest day.
            *earlier, (_, latest) = events
            assert latest["dagster/row_count"] == shop.rows(f"select count(*) from {table}")[0][0], table
            assert not any("dagster/row_count" in metadata for _, metadata in earlier), table
            lines = {}
            # A list of categories or versions has no rows of a day, although a run over a day brings it up to date.
            if events[0][0] is not None and "partition_date" in {column.name for column in columns_of(table)}:
                held = dict(shop.rows(f"select partition_date::text, count(*) from {table} group by 1"))
                lines = {str(day(number)): held.get(str(day(number)), 0) for number in range(1, DAYS + 1)}
        counted = {
            date: metadata["dagster/partition_row_count"]
            for date, metadata in events
            if "dagster/partition_row_count" in metadata
        }
        assert counted == lines, table


def test_every_file_has_an_address(shop: Shop) -> None:
    run_id = shop.first_run.run_id
    for partition, metadata in metadata_of(shop, "raw.customers", run_id):
        assert metadata["dagster/uri"] == (shop.data / "raw" / "customers" / f"{partition}.csv").as_uri()
    for table, file in {
        "analytics.geography": "geography.csv",
        "monitoring.quality_report": "quality_report.json",
    }.items():
        ((_, metadata),) = metadata_of(shop, table, run_id)
        assert metadata["dagster/uri"] == (shop.data / table.split(".")[0] / file).as_uri()


def test_the_list_of_runs_says_which_days_a_run_is_about(shop: Shop) -> None:
    run = shop.instance.get_run_by_id(shop.first_run.run_id)
    assert run is not None
    assert run.tags["ecommerce/days"] == f"{day(1)} to {day(DAYS)}"


def test_no_step_of_a_first_load_is_tried_twice(shop: Shop) -> None:
    """Two writes that filled empty tables deadlocked on the tables that their foreign keys refer to."""
    again = [
        entry.step_key
        for entry in shop.instance.all_logs(shop.first_run.run_id)
        if entry.dagster_event and entry.dagster_event.is_step_up_for_retry
    ]
    assert again == []


def test_a_range_run_plans_an_asset_without_partitions_once(shop: Shop) -> None:
    """Dagster 1.13 takes a run's partitions from its alphabetically last asset. When this was fact_sales, every
    unpartitioned asset and every check was planned 1,000 times, and a run of 1,000 days started 40 s late."""
    run = shop.instance.get_run_by_id(shop.first_run.run_id)
    assert run is not None
    assert run.partitions_subset is None
    planned = [
        entry.dagster_event.asset_materialization_planned_data
        for entry in shop.instance.all_logs(run.run_id)
        if entry.dagster_event and entry.dagster_event.is_asset_materialization_planned
    ]
    subsets = {plan.asset_key.to_user_string(): plan.partitions_subset for plan in planned}
    assert len(subsets) == len(planned)
    assert subsets["analytics/geography"] is None
    assert len(list(subsets["warehouse/fact_sales"].get_partition_keys())) == DAYS


def test_the_reports_are_tables_and_json(shop: Shop) -> None:
    checks = json.loads((shop.data / "monitoring" / "quality_report.json").read_text())
    assert {"table_name", "check_name", "grade", "score"} <= set(checks[0])
    assert shop.rows("select count(*) from monitoring.quality_report") == [(len(checks),)]
    assert {row["grade"] for row in checks if row["severity"] == "ERROR"} == {"A"}
    tables = json.loads((shop.data / "monitoring" / "pipeline_report.json").read_text())
    fact = next(row for row in tables if row["table_name"] == "warehouse.fact_sales")
    assert fact["lag_days"] == 0
    assert fact["last_run_id"] == shop.first_run.run_id
    assert fact["last_run_seconds"] > fact["write_seconds"] > 0
    orders = next(row for row in tables if row["table_name"] == "staging.transactions")
    assert orders["latest_day_rows"] == len(shop.files()[day(DAYS)]["transactions"])
    assert orders["is_unusual"] is None  # there is one earlier day with the same weekday
    health = {row["metric"]: row for row in json.loads((shop.data / "monitoring" / "database_health.json").read_text())}
    assert health["database_bytes"]["value"] > 1_000_000
    assert 0 < health["disk_free_percent"]["value"] < 100
    assert shop.rows("select layer, checks > 0, failed, lag_days from monitoring.layer_report order by 1") == [
        (layer, True, 0, lag) for layer, lag in (("analytics", 0), ("production", 0), ("staging", 0), ("warehouse", 0))
    ]


def test_a_report_is_readable_in_the_ui(shop: Shop) -> None:
    for name, words in {
        "quality_report": ["| layer | checks | not_passed | score | worst_grade |", "| warehouse |"],
        "pipeline_report": ["| staging | 5 |", shop.first_run.run_id, "No volume is unusual."],
        "database_health": ["| connections_percent |"],
    }.items():
        event = shop.instance.get_latest_materialization_event(AssetKey(["monitoring", name]))
        assert event is not None
        text = str(event.asset_materialization.metadata["report"].value)
        assert [word for word in words if word not in text] == []
        assert len(text) < 20_000


def test_a_second_run_of_a_day_changes_nothing(shop: Shop) -> None:
    before = shop.rows("select * from warehouse.fact_sales order by transaction_id, item_id")
    outcome = run_days(defs, shop.instance, day(5), day(5))
    assert outcome.failures == []
    assert shop.rows("select * from warehouse.fact_sales order by transaction_id, item_id") == before


@pytest.mark.parametrize("table", ["agg_daily_sales", "mart_daily_breakdown"])
def test_a_run_over_a_day_computes_a_part_of_an_aggregate_without_partitions(shop: Shop, table: str) -> None:
    """The IO manager treated unpartitioned assets as a run over all days, so a day cost as much as the history."""
    run_days(defs, shop.instance, day(5), day(5))
    event = shop.instance.get_latest_materialization_event(AssetKey(["warehouse", table]))
    metadata = event.asset_materialization.metadata
    computed = sum(metadata[f"rows_{what}"].value for what in ("inserted", "updated", "unchanged"))
    ((rows,),) = shop.rows(f"select count(*) from warehouse.{table}")
    assert 0 < computed < rows


def test_verify_is_green_and_names_the_row_that_somebody_deleted(shop: Shop) -> None:
    assert verify().exit_code == 0
    ((order, item),) = shop.rows("select transaction_id, item_id from warehouse.fact_sales order by 1, 2 limit 1")
    shop.execute(f"delete from warehouse.fact_sales where (transaction_id, item_id) = ({order}, {item})")
    result = verify("--json")
    assert result.exit_code == 1
    failed = {(check["table"], check["name"]): check for check in json.loads(result.stdout) if not check["passed"]}
    assert any(str(item) in json.dumps(check["samples"]) for (table, _), check in failed.items() if "fact" in table)
    assert run_days(defs, shop.instance, day(1), day(DAYS), select='key:"warehouse/fact_sales"').success
    assert verify().exit_code == 0


def test_verify_names_the_price_that_somebody_changed_in_production(shop: Shop) -> None:
    ((product, valid_from),) = shop.rows("select product_id, valid_from from production.product_versions limit 1")
    change = "update production.product_versions set price = price {} 1 where product_id = {} and valid_from = '{}'"
    shop.execute(change.format("+", product, valid_from))
    result = verify("--json")
    assert result.exit_code == 1
    failed = [check for check in json.loads(result.stdout) if not check["passed"] and check["severity"] == "ERROR"]
    assert any(str(product) in json.dumps(check["samples"]) for check in failed)
    shop.execute(change.format("-", product, valid_from))
    assert verify().exit_code == 0


def test_a_bad_file_stops_the_day_and_leaves_what_was_there(shop: Shop) -> None:
    before = shop.rows("select * from staging.customers order by partition_date, source_row")
    path = shop.data / "raw" / "customers" / f"{day(3)}.csv"
    good = path.read_bytes()
    path.write_bytes(good[:-20])
    outcome = run_days(defs, shop.instance, day(3), day(3), select='key:"staging/customers"+')
    assert not outcome.success
    assert len(outcome.failures) == 1
    assert f"{day(3)}" in outcome.failures[0]
    assert "customers" in outcome.failures[0]
    assert shop.rows("select * from staging.customers order by partition_date, source_row") == before
    path.write_bytes(good)
    assert run_days(defs, shop.instance, day(3), day(3), select='key:"staging/customers"+').failures == []


def test_a_blocking_check_on_staging_stops_the_day_before_production_sees_it(shop: Shop) -> None:
    before = shop.rows("select * from production.transactions order by transaction_id")
    path = shop.data / "raw" / "transactions" / f"{day(4)}.csv"
    good = path.read_text(encoding="utf-8")
    header, *lines = good.splitlines()
    path.write_text("\n".join([header, *("," + line.split(",", 1)[1] for line in lines)]) + "\n", encoding="utf-8")
    outcome = run_days(defs, shop.instance, day(4), day(4), select='key:"staging/transactions"+')
    assert not outcome.success
    assert any("staging.transactions" in failure and "transaction_id" in failure for failure in outcome.failures)
    assert shop.rows("select * from production.transactions order by transaction_id") == before
    told = CliRunner().invoke(cli.main, ["status", "--json"])
    assert told.exit_code == 1
    (failing,) = json.loads(told.stdout)["failing_checks"]
    assert (failing["table"], failing["check"], failing["days"]) == ("staging.transactions", "contract", str(day(4)))
    assert "staging.transactions contract failed over" in CliRunner().invoke(cli.main, ["status"]).stderr
    health = read_health(Database(role="reader"))
    kpis, _ = health_answers(health, dt.datetime.now(dt.UTC))
    assert kpis["checks_failed"].value == 1
    assert [notice.badge for notice in warnings(health, None, dt.datetime.now(dt.UTC))][:2] == ["Failing", "Incomplete"]
    path.write_text(good, encoding="utf-8")
    assert run_days(defs, shop.instance, day(4), day(4), select='key:"staging/transactions"+').failures == []
    assert verify().exit_code == 0


def test_status_tells_rows_and_missing_days(shop: Shop) -> None:
    result = CliRunner().invoke(cli.main, ["status", "--json"])
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    facts = next(table for table in told["tables"] if table["table"] == "warehouse.fact_sales")
    assert facts["rows"] == shop.rows("select count(*) from warehouse.fact_sales")[0][0]
    assert told["missing_days"][0][0] == day(DAYS + 1).isoformat()


def test_a_selection_that_selects_nothing_is_reported(shop: Shop) -> None:
    arguments = ["--start", str(day(1)), "--end", str(day(1)), "--select", "key:nothing/at_all"]
    result = CliRunner().invoke(cli.main, ["materialize", *arguments])
    assert result.exit_code == 2
    assert "nothing/at_all" in result.stderr
    assert "Loading" not in result.stderr


def test_a_range_that_ends_before_it_begins_is_told_so(shop: Shop) -> None:
    result = CliRunner().invoke(cli.main, ["materialize", "--start", str(day(2)), "--end", str(day(1))])
    assert result.exit_code == 2
    assert f"--end {day(1)} is before --start {day(2)}" in " ".join(result.stderr.split())


def test_a_table_in_a_pipe_keeps_whole_names(shop: Shop) -> None:
    told = CliRunner().invoke(cli.main, ["status"], env={"COLUMNS": "60"}).stdout
    assert "warehouse.mart_product_monthly" in told
    assert "…" not in told
