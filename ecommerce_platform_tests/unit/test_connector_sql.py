"""The SQL of a connector: it reads the named files and nothing else, changes nothing, and its faults have a line."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import duckdb
import pytest

from ecommerce_platform.connectors.connector import SHIPPED, read_connector
from ecommerce_platform.connectors.conversion import convert
from ecommerce_platform.connectors.errors import ConnectorError
from ecommerce_platform_tests import exports

LAST = dt.date(2026, 1, 1)


@pytest.fixture
def connector(tmp_path: Path) -> Path:
    """A copy of the connector for UCI Online Retail, which a test may change, and an export."""
    exports.online_retail(tmp_path / "in")
    return Path(shutil.copytree(SHIPPED / "online_retail", tmp_path / "mine"))


def refusal(connector: Path) -> str:
    folder = connector.parent
    with pytest.raises(ConnectorError) as caught:
        convert(read_connector(connector), folder / "in", folder / "out", LAST)
    assert not list((folder / "out").rglob("*.csv"))
    return str(caught.value)


WRITES = [
    "copy (select 1) to 'FOLDER/written'",
    "create table stolen as select 1",
    "attach 'FOLDER/written' as other",
    "drop table exports",
    "insert into exports (invoice) values ('1')",
    "install httpfs",
    "set enable_external_access = true",
    "pragma enable_profiling",
    "select 1; select 2",
    "",
    "-- nothing",
]


@pytest.mark.parametrize("sql", WRITES)
def test_only_one_select_is_run(sql: str, connector: Path) -> None:
    (connector / "transactions.sql").write_text(sql.replace("FOLDER", str(connector.parent)))
    message = refusal(connector)
    assert str(connector / "transactions.sql") in message
    assert not (connector.parent / "written").exists()


@pytest.mark.parametrize("end", [";", "; -- done", ";\n-- done;\n", "; /* ; */ ", "\n-- no semicolon; "])
def test_a_comment_may_follow_the_select(end: str, connector: Path) -> None:
    for name in ("lines", "products"):
        path = connector / f"{name}.sql"
        path.write_text(path.read_text().rstrip() + end)
    converted = convert(read_connector(connector), connector.parent / "in", connector.parent / "out", LAST)
    assert converted.rows["transaction_items"] == 6


def test_the_lineage_is_what_duckdb_reads(connector: Path) -> None:
    """Neither a join by comma, nor a comment, nor a string misleads it; SQL that cannot be parsed reads nothing."""
    toml = (connector / "connector.toml").read_text()
    kind = toml[toml.index("[files.exports]") :]
    for name in ("others", "more"):
        toml += kind.replace("files.exports", f"files.{name}")
    (connector / "connector.toml").write_text(toml)
    (connector / "products.sql").write_text(
        "select *, 'from more' as x from exports, Others /* join more */ where 1 = (select count(*) from lines)"
    )
    (connector / "customers.sql").write_text("select from from")
    read = read_connector(connector)
    assert read.files_read_by("products") == ["exports", "others"]
    assert read.files_read_by("transactions") == ["exports"]
    assert read.files_read_by("customers") == []


@pytest.mark.parametrize("name", ["more", "transactions"])
def test_a_select_that_hides_a_change_is_refused(name: str, connector: Path) -> None:
    """DuckDB takes WITH … INSERT for a SELECT, and would have let it add rows to an earlier step."""
    toml = (connector / "connector.toml").read_text()
    (connector / "connector.toml").write_text(toml.replace('steps = ["lines"]', 'steps = ["lines", "more"]'))
    (connector / "more.sql").write_text("select 1 as nothing")
    sql = "with w as (insert into lines select * from lines returning *) select * from w"
    (connector / f"{name}.sql").write_text(sql)
    assert f"{name}.sql" in refusal(connector)


READS = [
    "select * from read_csv('FILE')",
    "select * from read_text('FILE')",
    "select * from 'FILE'",
    "select * from glob('/*')",
    "select * from read_blob('/etc/passwd')",
    "select * from sniff_csv('FILE')",
    "select * from read_csv('https://example.com/x.csv')",
    "select * from duckdb_secrets()",
    "select getenv('HOME')",
    "select * from secret",
]


@pytest.mark.parametrize("sql", READS)
def test_a_select_reads_nothing_but_the_exports(sql: str, connector: Path) -> None:
    secret = duckdb.sql("select 'a variable of Python, which DuckDB would read as a table'")
    assert secret
    (connector / "lines.sql").write_text(sql.replace("FILE", str(connector.parent / "in" / "Online Retail.csv")))
    message = refusal(connector)
    assert str(connector / "lines.sql") in message
    assert "a variable of Python" not in message


def test_a_fault_names_its_file_and_line(connector: Path) -> None:
    path = connector / "products.sql"
    path.write_text(path.read_text().replace("    '' as brand,", "    nonsense as brand,"))
    line = path.read_text().splitlines().index("    nonsense as brand,") + 1
    message = refusal(connector)
    assert message.startswith(f"{path}, line {line}: ")
    assert "nonsense" in message


def test_a_fault_of_the_data_names_the_file(connector: Path) -> None:
    path = connector / "products.sql"
    path.write_text(path.read_text().replace("    '' as brand,", "    cast(min(description) as integer) as brand,"))
    message = refusal(connector)
    assert message.startswith(str(path))
    assert "Could not convert" in message


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    '' as brand,\n", "", "lacks the column brand"),
        ("    '' as brand,\n", "    '' as brand,\n    1 as colour,\n", "'colour' is not a column of the feed products"),
        ("cast(min(moment) as date) as day", "'x' as day", "the column day is VARCHAR, not DATE"),
    ],
)
def test_a_feed_has_its_columns_and_the_day(old: str, new: str, said: str, connector: Path) -> None:
    path = connector / "products.sql"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert said in refusal(connector)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('currency = "GBP"', 'currency = "pounds"', "currency: "),
        ('currency = "GBP"', 'currrency = "GBP"', "currrency: "),
        ('currency = "GBP"', 'kind = "weekly"', "kind: "),
        ('currency = "GBP"', 'time_zone = "Mars/Base"', "time_zone: is not a time zone"),
        ('moment = "invoice_date"', 'moment = "when"', "moment = 'when' is not a column"),
        ('stock_code = "StockCode"', 'day = "StockCode"', "is a name that the platform uses itself"),
        ('key = "invoice"', 'encodings = "klingon"', "is not an encoding"),
        ('steps = ["lines"]', 'steps = ["lines"', "this is not TOML"),
        ('steps = ["lines"]', 'steps = ["other"]', "other.sql: the file is missing"),
    ],
)
def test_a_faulty_connector_toml_is_one_clear_message(old: str, new: str, said: str, connector: Path) -> None:
    path = connector / "connector.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ConnectorError) as caught:
        read_connector(connector)
    assert said in str(caught.value)
    assert str(connector) in str(caught.value)


def test_a_file_that_may_be_of_two_kinds_is_refused(connector: Path) -> None:
    path = connector / "connector.toml"
    toml = path.read_text()
    path.write_text(toml + toml[toml.index("[files.exports]") :].replace("files.exports", "files.others"))
    message = refusal(connector)
    assert "the file may hold the exports or the others of the connector mine" in message
    assert "narrow the pattern" in message


def test_a_connector_with_a_file_for_each_day(tmp_path: Path) -> None:
    """A daily export: the day is in the file's name; an order that is exported again belongs to the later day, too."""
    connector = Path(shutil.copytree(SHIPPED / "feeds", tmp_path / "daily"))
    toml = (connector / "connector.toml").read_text()
    lines = [line for line in toml.splitlines() if not line.startswith(("moment", "key"))]
    (connector / "connector.toml").write_text("\n".join(["kind = 'daily'", *lines]))
    for feed in ("transaction_items",):
        (connector / f"{feed}.sql").write_text("select * exclude (moment, file) from transaction_items")
    folder = tmp_path / "in"
    head = "transaction_id,customer_id,transaction_date,payment_method,total_amount"
    for day, total in (("2024-01-01", "5.00"), ("2024-01-03", "6.00")):
        exports.write_text(folder / f"orders-{day}.csv", f"{head}\n1,1,2024-01-01,Cash,{total}\n")
        exports.write_text(
            folder / f"items_{day}.csv",
            f"item_id,transaction_id,product_id,quantity,unit_price,line_total\n1,1,7,1,{total},{total}\n",
        )
        exports.write_text(
            folder / f"customers {day}.csv", f"customer_id,country,registered_on,updated_at\n1,US,2024-01-01,{day}\n"
        )
        exports.write_text(
            folder / f"products-{day.replace('-', '')}.csv",
            f"product_id,product_name,category,price,updated_at\n7,Cup,Home,5,{day}\n",
        )
    target = tmp_path / "out"
    converted = convert(read_connector(connector), folder, target, LAST)
    assert (converted.first_day, converted.last_day) == (dt.date(2024, 1, 1), dt.date(2024, 1, 3))
    rows = {path.stem: path.read_text().splitlines()[1:] for path in sorted((target / "transactions").iterdir())}
    assert rows == {
        "2024-01-01": ["1,1,2024-01-01,,Cash,,,,5.00"],
        "2024-01-02": [],
        "2024-01-03": ["1,1,2024-01-01,,Cash,,,,6.00"],
    }
    exports.write_text(folder / "orders.csv", f"{head}\n1,1,2024-01-01,Cash,1\n")
    with pytest.raises(ConnectorError, match="the name has no day"):
        convert(read_connector(connector), folder, target, LAST)
