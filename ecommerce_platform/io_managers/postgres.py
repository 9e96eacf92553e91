"""PostgresIOManager: what an asset returns goes into its table; what it asks for comes out of one.

An asset may return a :class:`Query` (the rows never leave the database), a ``pandas.DataFrame``, a ``pyarrow.Table``
or a ``pyarrow.RecordBatchReader`` (both streamed with COPY), and may take its inputs as a ``pandas.DataFrame``, a
``pyarrow.Table`` or a :class:`TableReference`. How the rows are written stands in the asset's ``write`` metadata.
"""

import io
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv
from dagster import (
    ConfigurableIOManagerFactory,
    InputContext,
    IOManager,
    JsonMetadataValue,
    MetadataValue,
    OutputContext,
    ResourceDependency,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
)
from dagster._core.definitions.partitions.utils import TimeWindow
from dagster._core.storage.db_io_manager import DbClient, DbIOManager, DbTypeHandler, TableSlice
from psycopg import sql

from ecommerce_platform.io_managers.change_log import read_up_to
from ecommerce_platform.io_managers.cluster import estimated_rows
from ecommerce_platform.io_managers.connection import ClientConnection, PostgresConnection
from ecommerce_platform.io_managers.lookup import describe
from ecommerce_platform.io_managers.modes import (
    Merge,
    Query,
    ReplaceSlice,
    RowStream,
    Table,
    Window,
    WriteResult,
    trusted,
    write_mode,
)
from ecommerce_platform.io_managers.partition_metadata import add_partition_metadata
from ecommerce_platform.io_managers.writes import write


@dataclass(frozen=True)
class TableReference:
    """An input that stays in the database: its name, and the days that the run is about."""

    schema: str
    table: str
    window: Window


def window_of(table_slice: TableSlice) -> Window:
    """The days of a slice; every day for an asset without partitions."""
    for dimension in table_slice.partition_dimensions or ():
        if isinstance(dimension.partitions, TimeWindow):
            return Window(dimension.partitions.start.date(), dimension.partitions.end.date())
        raise TypeError(f"{table_slice.schema}.{table_slice.table}: only daily partitions can be stored")
    return Window()


def read_arrow(connection: ClientConnection, select: str, parameters: Mapping[str, object] | None = None) -> pa.Table:
    """Run a SELECT and give its rows as Arrow, read with COPY.

    Integers, dates, moments, booleans and decimals keep their types; everything else is text. A date or moment of
    infinity becomes null, because Arrow has none.
    """
    body = trusted(select)
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("select * from ({}) as rows limit 0").format(body), parameters)
        columns = [
            (column.name, column.type_code, column.precision, column.scale) for column in cursor.description or ()
        ]
        names = sql.SQL(", ").join(
            sql.SQL("case when isfinite({0}) then {0} end as {0}").format(sql.Identifier(name))
            if code in _INFINITE
            else sql.Identifier(name)
            for name, code, _, _ in columns
        )
        statement = sql.SQL("copy (select {} from ({}) as rows) to stdout (format csv)").format(names, body)
        sink = io.BytesIO()
        with cursor.copy(statement, parameters) as copy:
            for block in copy:
                sink.write(block)
    types = {name: _arrow_type(code, precision, scale) for name, code, precision, scale in columns}
    if not sink.tell():
        return pa.schema(list(types.items())).empty_table()
    sink.seek(0)
    return pyarrow.csv.read_csv(
        sink,
        read_options=pyarrow.csv.ReadOptions(column_names=list(types)),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        ),
    )


_INFINITE = {1082, 1114, 1184}
_ARROW_TYPES: dict[int, pa.DataType] = {
    16: pa.bool_(),
    20: pa.int64(),
    21: pa.int16(),
    23: pa.int32(),
    700: pa.float32(),
    701: pa.float64(),
    1082: pa.date32(),
    1114: pa.timestamp("us"),
    1184: pa.timestamp("us", "UTC"),
}
_NUMERIC = 1700


def _arrow_type(code: int, precision: int | None, scale: int | None) -> pa.DataType:
    if code == _NUMERIC:
        return pa.decimal128(precision, scale or 0) if precision else pa.decimal128(38, 4)
    return _ARROW_TYPES.get(code, pa.string())


def read_frame(
    connection: ClientConnection,
    select: str,
    parameters: Mapping[str, object] | None = None,
    *,
    reader: str = "",
    reads: Sequence[str] = (),
) -> pd.DataFrame:
    """Run a SELECT and give its rows as a DataFrame: nullable integers, exact decimals, dates as dates.

    Args:
        connection: in autocommit.
        select: one SELECT.
        parameters: values of its placeholders.
        reader: the table that the frame will be stored in, as schema.table, if it has sources.
        reads: its sources, as schema.table. Up to where their changes are in the frame is kept in its ``attrs``, so
            that whoever stores the frame knows how far the table has read.
    """
    positions = read_up_to(connection, reader, reads) if reads else {}
    frame = read_arrow(connection, select, parameters).to_pandas(types_mapper=_PANDAS_TYPES.get)
    frame.attrs[READ_UP_TO] = positions
    return frame


READ_UP_TO = "read_up_to"
ROW_COUNT = "dagster/row_count"
PARTITION_ROW_COUNT = "dagster/partition_row_count"
ESTIMATED_ROW_COUNT = "estimated_row_count"
COUNTED_BYTES = 8 * 2**20
"""A table of at most so many bytes is counted after a write that saw only a part of it: a few milliseconds, however
long the history is."""
_PANDAS_TYPES: dict[pa.DataType, Any] = {
    pa.int16(): pd.Int64Dtype(),
    pa.int32(): pd.Int64Dtype(),
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
}


def written_by(context: OutputContext) -> Merge | ReplaceSlice:
    """How an asset is written, from the ``write`` of its metadata."""
    mode = context.definition_metadata.get("write", {})
    return write_mode(mode.data if isinstance(mode, JsonMetadataValue) else mode)


class _Client(DbClient[ClientConnection]):
    """The connection, and how a slice reads as SQL. The writes themselves replace what they write."""

    @staticmethod
    def delete_table_slice(context: OutputContext, table_slice: TableSlice, connection: ClientConnection) -> None:
        """Nothing: a write replaces its slice or merges in the same transaction as its rows."""

    @staticmethod
    def ensure_schema_exists(context: OutputContext, table_slice: TableSlice, connection: ClientConnection) -> None:
        """Nothing: the DDL makes schemas."""

    @staticmethod
    def get_select_statement(table_slice: TableSlice) -> str:
        """The rows of the slice, to be run by hand."""
        statement = f"select * from {table_slice.schema}.{table_slice.table}"
        window = window_of(table_slice)
        if window.is_unbounded:
            return statement
        assert table_slice.partition_dimensions
        column = table_slice.partition_dimensions[0].partition_expr
        return f"{statement} where {column} >= date '{window.start}' and {column} < date '{window.end}'"

    @staticmethod
    def get_table_name(table_slice: TableSlice) -> str:
        """schema.table."""
        return f"{table_slice.schema}.{table_slice.table}"

    def __init__(self, database: PostgresConnection):
        self._database = database

    @contextmanager
    def connect(self, context: OutputContext | InputContext, table_slice: TableSlice) -> Generator[ClientConnection]:
        """One connection of the IO manager's resource, given back on the way out."""
        with self._database.connect() as connection:
            yield connection


class _Handler(DbTypeHandler[Any]):
    """Shared by all types: write, then tell Dagster what was written."""

    def handle_output(
        self, context: OutputContext, table_slice: TableSlice, obj: Any, connection: ClientConnection
    ) -> Mapping[str, Any]:
        """Write ``obj`` in one transaction; the metadata counts its rows."""
        table = describe(connection, table_slice.schema, table_slice.table)
        positions = obj.attrs.get(READ_UP_TO) if isinstance(obj, pd.DataFrame) else None
        rows = self.rows(obj, table)
        result = write(connection, table, written_by(context), rows, window_of(table_slice), positions)
        metadata = {**_counts(result), **_row_count(connection, table, result.total)}
        if "dagster/column_schema" not in context.definition_metadata:
            metadata["dagster/column_schema"] = column_schema(connection, table)
        if not context.has_asset_partitions:
            return metadata
        # Totals over all partitions go to the latest one only: a thousand events would repeat them.
        latest = context.asset_partition_key_range.end
        of_partitions: dict[str, dict[str, Any]] = {latest: metadata}
        for day, count in result.by_day.items():
            of_partitions.setdefault(day.isoformat(), {})[PARTITION_ROW_COUNT] = count
        add_partition_metadata(context.step_context, context.asset_key, of_partitions)
        return {}

    def rows(self, obj: Any, table: Table) -> Query | RowStream:
        """What :func:`write` takes."""
        raise NotImplementedError

    def load_input(self, context: InputContext, table_slice: TableSlice, connection: ClientConnection) -> Any:
        """The table, or its slice of the run's days."""
        raise NotImplementedError


class _QueryHandler(_Handler):
    supported_types: Sequence[type] = [Query, TableReference]

    def rows(self, obj: Query, table: Table) -> Query:
        return obj

    def load_input(
        self, context: InputContext, table_slice: TableSlice, connection: ClientConnection
    ) -> TableReference:
        return TableReference(table_slice.schema, table_slice.table, window_of(table_slice))


class _ArrowHandler(_Handler):
    supported_types: Sequence[type] = [pa.Table, pa.RecordBatchReader, RowStream]

    def rows(self, obj: pa.Table | pa.RecordBatchReader | RowStream, table: Table) -> RowStream:
        return obj if isinstance(obj, RowStream) else RowStream.of(obj)

    def load_input(self, context: InputContext, table_slice: TableSlice, connection: ClientConnection) -> pa.Table:
        return read_arrow(connection, _Client.get_select_statement(table_slice))


class _PandasHandler(_Handler):
    supported_types: Sequence[type] = [pd.DataFrame]

    def rows(self, obj: pd.DataFrame, table: Table) -> RowStream:
        return RowStream.of(pa.Table.from_pandas(obj, preserve_index=False))

    def load_input(self, context: InputContext, table_slice: TableSlice, connection: ClientConnection) -> pd.DataFrame:
        return read_frame(connection, _Client.get_select_statement(table_slice))


def _row_count(connection: ClientConnection, table: Table, total: int | None) -> dict[str, int]:
    """How many rows a table holds: what its write has seen, or a count, or, if counting is not cheap, an estimate.

    The rows are committed, so a count that fails must not fail the step: it is then left out.
    """
    if total is not None:
        return {ROW_COUNT: total}
    try:
        if table.placement != "here":
            return {ESTIMATED_ROW_COUNT: int(estimated_rows(connection, table))}
        row = connection.execute(
            "select relkind = 'r', pg_relation_size(oid), reltuples::bigint from pg_catalog.pg_class"
            " where oid = %s::regclass",
            (table.full_name,),
        ).fetchone()
        is_plain, size, estimate = row or (False, 0, -1)
        # A table whose rows lie elsewhere, as in partitions or on other servers, looks empty here.
        if is_plain and size <= COUNTED_BYTES and (size or estimate <= 0):
            counted = connection.execute(sql.SQL("select count(*) from {}").format(table.identifier)).fetchone()
            return {ROW_COUNT: counted[0] if counted else 0}
    except psycopg.Error:
        return {}
    return {ESTIMATED_ROW_COUNT: estimate} if estimate >= 0 else {}


def _counts(result: WriteResult) -> dict[str, Any]:
    return {
        "rows_inserted": result.inserted,
        "rows_updated": result.updated,
        "rows_deleted": result.deleted,
        "rows_unchanged": result.unchanged,
        "seconds": MetadataValue.float(round(result.seconds, 3)),
    }


def column_schema(connection: ClientConnection, table: Table) -> TableSchema:
    """The table's columns as Dagster shows them: type, comment, and whether null is allowed."""
    rows = connection.execute(
        """
        select attribute.attname, format_type(attribute.atttypid, attribute.atttypmod), attribute.attnotnull,
            col_description(attribute.attrelid, attribute.attnum)
        from pg_catalog.pg_attribute as attribute
        where attribute.attrelid = %s::regclass and attribute.attnum > 0 and not attribute.attisdropped
        order by attribute.attnum
        """,
        (table.full_name,),
    ).fetchall()
    return TableSchema(
        columns=[
            TableColumn(name, type_, description, constraints=TableColumnConstraints(nullable=not required))
            for name, type_, required, description in rows
        ]
    )


def postgres_io_manager(database: PostgresConnection) -> IOManager:
    """The IO manager over some connections, for a resource that no run configures."""
    return DbIOManager(
        type_handlers=[_QueryHandler(), _ArrowHandler(), _PandasHandler()],
        db_client=_Client(database),
        database="",
        io_manager_name="PostgresIOManager",
        default_load_type=TableReference,
    )


class PostgresIOManager(ConfigurableIOManagerFactory):
    """A Dagster IO manager for PostgreSQL.

    A write is one transaction into a table whose DDL already stands. An asset's key is its table:
    ``["warehouse", "fact_sales"]`` is ``warehouse.fact_sales``. Its metadata says how it is written, for example
    ``{"write": Merge(key=("product_id",)).to_metadata()}``, and for a daily asset ``partition_expr``, the day's column.
    """

    database: ResourceDependency[PostgresConnection]

    def create_io_manager(self, context: Any) -> IOManager:
        """The IO manager of one run."""
        return postgres_io_manager(self.database)
