"""Analytics: the extracts. Reads the warehouse, read by analysts, as tables and as CSV files."""

from pathlib import Path

import pandas as pd
from dagster import AssetExecutionContext, AssetsDefinition, Output, asset
from dagster_pandas import PandasColumn, create_dagster_pandas_dataframe_type
from dagster_pandas.constraints import (
    ColumnDTypeInSetConstraint,
    NonNullableColumnConstraint,
    StrictColumnsConstraint,
)

from ecommerce_platform.assets import forecasting
from ecommerce_platform.io_managers import Merge
from ecommerce_platform.io_managers.postgres import read_frame
from ecommerce_platform.resources.database import Database
from ecommerce_platform.tables.asset import asset_arguments, spec_of, table_key
from ecommerce_platform.tables.columns import columns_of
from ecommerce_platform.tables.lineage import tables_read, transform_path

PANDAS_TYPES = {"integer": "Int64", "bigint": "Int64", "smallint": "Int64", "boolean": "boolean"}
"""Types of sql/ddl with a pandas type of their own. Decimals, dates and text are Python objects, and stay exact."""


def frame_type(table: str):
    """The dagster-pandas type of a table's DataFrame: its columns in order, their types, and which are required."""
    columns = columns_of(table)
    return create_dagster_pandas_dataframe_type(
        name="".join(part.capitalize() for part in table.replace(".", "_").split("_")),
        description=f"The rows of {table}.",
        columns=[
            PandasColumn(
                column.name,
                constraints=[
                    ColumnDTypeInSetConstraint({PANDAS_TYPES.get(column.base_type, "object")}),
                    *([] if column.nullable else [NonNullableColumnConstraint()]),
                ],
            )
            for column in columns
        ],
        dataframe_constraints=[StrictColumnsConstraint([column.name for column in columns], enforce_ordering=True)],
    )


def extract_asset(name: str, *, key: tuple[str, ...], description: str) -> AssetsDefinition:
    """An extract: sql/transform/analytics/NAME.sql as a DataFrame, stored in analytics.NAME and as a CSV file."""
    table = f"analytics.{name}"
    select = transform_path(table)
    files = {"Transform": select, "Asset": Path(__file__).resolve()}
    spec = spec_of(table, description, Merge(key=key), files, is_daily=False)

    @asset(
        **asset_arguments(spec),
        deps=[table_key(read) for read in tables_read(table)],
        io_manager_key="publisher",
        dagster_type=frame_type(table),
    )
    def build(context: AssetExecutionContext, database: Database) -> Output[pd.DataFrame]:
        with database.connect() as connection:
            text = select.read_text(encoding="utf-8")
            frame = read_frame(connection, text, reader=table, reads=tables_read(table))
        return Output(frame)

    return build


def forecast_asset() -> AssetsDefinition:
    """The forecast: computed in Python from the revenue of each day, stored like an extract."""
    table, source = "analytics.sales_forecast", "warehouse.agg_daily_sales"
    files = {"Asset": Path(__file__).resolve(), "Forecast": Path(forecasting.__file__).resolve()}
    columns = tuple(column.name for column in columns_of(table) if column.name != "method")
    lineage = dict.fromkeys(columns, ((source, "sale_date"), (source, "revenue")))
    spec = spec_of(
        table,
        "One row per day of the 30 days after the last day of sales: the shop's expected revenue.",
        Merge(key=("forecast_date",)),
        files,
        is_daily=False,
        lineage=lineage,
    )

    @asset(
        **asset_arguments(spec),
        deps=[table_key(source)],
        io_manager_key="publisher",
        dagster_type=frame_type(table),
    )
    def build(context: AssetExecutionContext, database: Database) -> Output[pd.DataFrame]:
        with database.connect() as connection:
            days = connection.execute(forecasting.HISTORY).fetchall()
        frame, said = forecasting.forecast(days)
        return Output(frame, metadata={"forecast": said})

    return build


extracts = [
    extract_asset(
        "top_products", key=("product_code",), description="One row per product: the 100 best sellers by revenue."
    ),
    extract_asset(
        "monthly_sales",
        key=("month_start",),
        description="One row per month: sales, profit margin and change in revenue.",
    ),
    extract_asset(
        "customer_segments", key=("segment",), description="One row per current customer segment: size and sales."
    ),
    extract_asset(
        "category_sales", key=("category",), description="One row per category, as it was on the day of each sale."
    ),
    extract_asset(
        "payment_methods", key=("payment_method",), description="One row per payment method: orders and revenue."
    ),
    extract_asset(
        "geography",
        key=("country", "state"),
        description="One row per state in which customers lived on the day of the sale.",
    ),
    extract_asset(
        "customer_lifetime_value",
        key=("segment",),
        description="One row per current customer segment: lifetime value and what it is made of.",
    ),
    extract_asset("product_profitability", key=("product_code",), description="One row per product, ranked by profit."),
    extract_asset("daily_sales", key=("sale_date",), description="One row per day of sales, with a seven-day average."),
    extract_asset(
        "returns_by_product", key=("product_code",), description="One row per product with returns, ranked by refunds."
    ),
    extract_asset(
        "discount_impact", key=("discount_band",), description="One row per discount band: sales and profit margin."
    ),
    extract_asset(
        "rfm_segments",
        key=("rfm_group",),
        description="One row per named group of customers by recency, frequency and monetary value.",
    ),
    extract_asset(
        "cohort_curves",
        key=("cohort_month", "months_since"),
        description="One row per month of the first order and month since: active customers and revenue.",
    ),
    extract_asset(
        "repeat_purchases",
        key=("interval_band",),
        description="One row per band of the days between two successive orders of a customer.",
    ),
    extract_asset(
        "stock_cover", key=("product_code",), description="One row per product: its stock, and how many days it lasts."
    ),
    extract_asset(
        "product_pairs",
        key=("product_code", "other_product_code"),
        description="One row per pair of products that are bought together more often than chance explains.",
    ),
    extract_asset(
        "sales_anomalies",
        key=("sale_date", "category"),
        description="One row per day and category that sold far more or far less than on the same weekday before.",
    ),
    forecast_asset(),
]
