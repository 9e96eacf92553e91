"""The semantic model of the Power BI project (TMDL): tables, columns, measures, relationships, and hierarchies."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from dashboards.spec.fields import MEASURES
from dashboards.spec.powerbi_files import MODEL, SCHEMAS, platform_file, tag, to_json
from dashboards.spec.powerbi_measures import CALCULATED, MORE_MEASURES
from dashboards.spec.powerbi_next import EXTRACTS
from ecommerce_platform.money import currency
from ecommerce_platform.settings import load_settings
from ecommerce_platform.tables.columns import columns_of

TYPES = {
    "bigint": "int64",
    "integer": "int64",
    "smallint": "int64",
    "numeric": "decimal",
    "text": "string",
    "boolean": "boolean",
    "date": "dateTime",
}
MONTHS = ("month_start", "cohort_month")
FORMATS = {"int64": "0", "decimal": "#,0.00", "dateTime": "yyyy-mm-dd"}
MONEY = frozenset(
    {"price", "cost", "unit_price", "discount", "discount_amount", "revenue", "costed_revenue", "profit", "returns"}
    | {"refund_amount", "average_order_value", "average_revenue", "expected_revenue", "deviation", "forecast"}
    | {"lower_80", "upper_80", "lower_95", "upper_95", "cumulative_revenue", "cumulative_revenue_per_customer"}
)
"""Columns with amounts."""
PERCENT = frozenset(
    {"support", "confidence", "other_confidence", "retention", "order_share", "cumulative_share", "customer_share"}
    | {"revenue_share", "repeat_customer_share"}
)
"""Columns of extracts in percent."""
MEASURE_FORMATS = {"count": "#,0", "percent": '0.00"%"', "number": "#,0.0000", "tenths": "#,0.0"}

TABLES = (
    "fact_sales",
    "fact_returns",
    "dim_date",
    "dim_customer",
    "customer_profile",
    "dim_product",
    "dim_payment",
    "agg_customer_metrics",
    "agg_daily_returns",
    "agg_daily_sales",
    "agg_product_performance",
    "mart_customer_monthly",
    "mart_daily_breakdown",
    "mart_product_daily",
    "mart_product_monthly",
    "mart_product_returns",
    "order_codes",
    *EXTRACTS,
)
TABLES_LEFT_OUT = ("mart_daily_repeats", "mart_product_pairs")
"""Tables of the warehouse that no measure needs."""
HIDDEN = (
    *(table for table in TABLES if table.startswith(("agg_", "mart_")) and table != "agg_customer_metrics"),
    "order_codes",
)

VIEWS: Mapping[str, Sequence[tuple[str, str]]] = {
    "customer_profile": (
        ("customer_key", "bigint"),
        ("customer_id", "bigint"),
        ("state_code", "text"),
        ("state_name", "text"),
        ("region", "text"),
        ("current_segment", "text"),
        ("customer_code", "text"),
    ),
    "order_codes": (("key", "bigint"), ("code", "text")),
}
"""Columns of the views of the schema warehouse. A test compares them with the database."""

CODED = ("customer_id", "product_id")
"""Keys that only relationships need: people see customer_code and product_code."""

LEFT_OUT = {("dim_customer", "valid_to"), ("dim_product", "valid_to"), ("fact_sales", "profit")}
"""Columns that contain ``infinity``, which Power BI cannot store as a date, in favor of ``is_current``; and one whose
name differs from that of a measure of its table, Profit, only in case, which Power BI refuses."""

RELATIONSHIPS = (
    ("fact_sales.sale_date", "dim_date.calendar_date"),
    ("fact_sales.customer_key", "dim_customer.customer_key"),
    ("fact_sales.customer_key", "customer_profile.customer_key"),
    ("fact_sales.product_key", "dim_product.product_key"),
    ("fact_sales.payment_key", "dim_payment.payment_key"),
    ("fact_sales.transaction_id", "order_codes.key"),
    ("fact_returns.sale_date", "dim_date.calendar_date"),
    ("fact_returns.customer_key", "dim_customer.customer_key"),
    ("fact_returns.customer_key", "customer_profile.customer_key"),
    ("fact_returns.product_key", "dim_product.product_key"),
    ("fact_returns.payment_key", "dim_payment.payment_key"),
    ("customer_profile.customer_id", "agg_customer_metrics.customer_id"),
    ("dim_product.product_id", "agg_product_performance.product_id"),
    ("agg_daily_returns.return_date", "dim_date.calendar_date"),
    ("agg_daily_sales.sale_date", "dim_date.calendar_date"),
    ("mart_daily_breakdown.sale_date", "dim_date.calendar_date"),
    ("mart_customer_monthly.month_start", "dim_date.calendar_date"),
    ("mart_customer_monthly.customer_id", "agg_customer_metrics.customer_id"),
    ("mart_product_daily.sale_date", "dim_date.calendar_date"),
    ("mart_product_daily.product_key", "dim_product.product_key"),
    ("mart_product_monthly.month_start", "dim_date.calendar_date"),
    ("mart_product_monthly.product_key", "dim_product.product_key"),
    ("mart_product_returns.month_start", "dim_date.calendar_date"),
    ("mart_product_returns.product_key", "dim_product.product_key"),
    ("sales_forecast.forecast_date", "dim_date.calendar_date"),
)
"""Many-to-one relationships; filters propagate from the one side to the many side."""

MODEL_HIERARCHIES = (
    ("dim_date", "Calendar", (("Year", "year"), ("Month", "month_start"), ("Day", "calendar_date"))),
    ("dim_product", "Products", (("Category", "category"), ("Product", "Product"))),
    ("customer_profile", "Places", (("Region", "region"), ("State", "state_name"))),
)

SORTED_BY = {
    ("dim_date", "month_name"): "month",
    ("dim_date", "day_name"): "day_of_week",
    ("repeat_purchases", "interval_band"): "from_days",
}


def _quoted(name: str) -> str:
    return name if name.replace("_", "").isalnum() else "'" + name.replace("'", "''") + "'"


def schema_of(table: str) -> str:
    """The schema of the database that a table of the model comes from."""
    return "analytics" if table in EXTRACTS else "warehouse"


def model_columns(table: str) -> list[tuple[str, str, str]]:
    """Name, PostgreSQL type, and comment of each column that the model imports."""
    if table in VIEWS:
        return [(name, type_, "") for name, type_ in VIEWS[table]]
    return [
        (column.name, column.base_type, column.comment or "")
        for column in columns_of(f"{schema_of(table)}.{table}")
        if (table, column.name) not in LEFT_OUT
    ]


def _table(table: str) -> str:
    lines = [f"table {_quoted(table)}"]
    if table in HIDDEN:
        lines.append("\tisHidden")
    lines += [f"\tlineageTag: {tag(table)}", ""]
    if table == "dim_date":
        lines.insert(1, "\tdataCategory: Time")
    if table == "fact_sales":
        for measure in MEASURES.values():
            lines += _measure(measure.label, measure.dax, measure.format, measure.definition)
        for name, format_, dax, meaning in MORE_MEASURES.values():
            lines += _measure(name, dax, format_, meaning)
    keys = {end.split(".")[1] for pair in RELATIONSHIPS for end in pair if end.split(".")[0] == table}
    for name, type_, comment in model_columns(table):
        data_type = TYPES[type_]
        if comment:
            lines.append(f"\t/// {comment}")
        lines += [f"\tcolumn {_quoted(name)}", f"\t\tdataType: {data_type}"]
        if table == "dim_date" and name == "calendar_date":
            lines.append("\t\tisKey")
        if (name.endswith("_key") and name in keys) or name in CODED or table == "fact_sales":
            lines.append("\t\tisHidden")
        if name in MONEY:
            lines.append(f"\t\tformatString: {_money_format()}")
        elif name in PERCENT:
            lines.append(f"\t\tformatString: {MEASURE_FORMATS['percent']}")
        elif data_type in FORMATS:
            lines.append(f"\t\tformatString: {'mmm yyyy' if name in MONTHS else FORMATS[data_type]}")
        lines += [f"\t\tlineageTag: {tag(table, name)}", "\t\tsummarizeBy: none", f"\t\tsourceColumn: {name}"]
        if (table, name) in SORTED_BY:
            lines.append(f"\t\tsortByColumn: {SORTED_BY[table, name]}")
        if name == "state_name":
            lines.append("\t\tdataCategory: StateOrProvince")
        lines.append("")
    for column in CALCULATED:
        if column.table == table:
            lines += [f"\t/// {column.meaning}", f"\tcolumn {_quoted(column.name)} = {column.dax}"]
            lines += [f"\t\tdataType: {column.type}"]
            if column.type == "dateTime":
                lines.append("\t\tformatString: mmm yyyy")
            lines += [f"\t\tlineageTag: {tag(table, column.name)}", "\t\tsummarizeBy: none", ""]
    for owner, name, levels in MODEL_HIERARCHIES:
        if owner == table:
            lines += [f"\thierarchy {_quoted(name)}", f"\t\tlineageTag: {tag(table, 'hierarchy', name)}", ""]
            for level, source in levels:
                lines += [
                    f"\t\tlevel {_quoted(level)}",
                    f"\t\t\tlineageTag: {tag(table, 'hierarchy', name, level)}",
                    f"\t\t\tcolumn: {source}",
                    "",
                ]
    return "\n".join([*lines, *_partition(table)]) + "\n"


def _money_format() -> str:
    """The format of an amount, each letter of the symbol escaped: \\$#,0.00."""
    of = currency(load_settings().currency)
    decimals = "." + "0" * of.places if of.places else ""
    return "".join(f"\\{letter}" for letter in of.prefix) + f"#,0{decimals}"


def _measure(name: str, dax: str, format_: str, meaning: str) -> list[str]:
    return [
        f"\t/// {meaning}",
        f"\tmeasure {_quoted(name)} = {dax}",
        f"\t\tformatString: {_money_format() if format_ == 'money' else MEASURE_FORMATS[format_]}",
        f"\t\tlineageTag: {tag('measure', name)}",
        "",
    ]


def _partition(table: str) -> list[str]:
    names = ", ".join(f'"{name}"' for name, _, _ in model_columns(table))
    query = [
        "let",
        "    Source = PostgreSQL.Database(Server, Database),",
        f'    Data = Source{{[Schema = "{schema_of(table)}", Item = "{table}"]}}[Data],',
        f"    Columns = Table.SelectColumns(Data, {{{names}}})",
        "in",
        "    Columns",
    ]
    return [
        f"\tpartition {_quoted(table)} = m",
        "\t\tmode: import",
        "\t\tsource =",
        *[f"\t\t\t\t{line}" for line in query],
        "",
        "\tannotation PBI_ResultType = Table",
    ]


def model_files() -> dict[str, str]:
    """All files of the semantic model: relative path to content."""
    files = {
        f"{MODEL}/definition/database.tmdl": "database\n\tcompatibilityLevel: 1567\n",
        f"{MODEL}/definition/model.tmdl": "\n".join(
            [
                "model Model",
                "\tculture: en-US",
                "\tdefaultPowerBIDataSourceVersion: powerBI_V3",
                "\tsourceQueryCulture: en-US",
                "\tdataAccessOptions",
                "\t\tlegacyRedirects",
                "\t\treturnErrorValuesAsNull",
                "",
                "annotation __PBI_TimeIntelligenceEnabled = 0",
                "",
                f"annotation PBI_QueryOrder = {json.dumps(['Server', 'Database', *TABLES])}",
                "",
                *[f"ref table {_quoted(table)}" for table in TABLES],
                "",
            ]
        ),
        f"{MODEL}/definition/expressions.tmdl": "\n".join(
            [
                "/// PostgreSQL host name; append :PORT if the port is not 5432.",
                *_parameter("Server", "localhost"),
                "/// Name of the database.",
                *_parameter("Database", "ecommerce"),
            ]
        ),
        f"{MODEL}/definition/relationships.tmdl": "\n".join(
            line
            for start, end in RELATIONSHIPS
            for line in (
                f"relationship {tag('relationship', start, end)}",
                f"\tfromColumn: {start}",
                f"\ttoColumn: {end}",
                "",
            )
        ),
        f"{MODEL}/definition.pbism": to_json(
            {"$schema": f"{SCHEMAS}/item/semanticModel/definitionProperties/1.0.0/schema.json", "version": "4.2"}
        ),
        f"{MODEL}/.platform": platform_file("SemanticModel"),
    }
    return {**files, **{f"{MODEL}/definition/tables/{table}.tmdl": _table(table) for table in TABLES}}


def _parameter(name: str, value: str) -> list[str]:
    meta = 'meta [IsParameterQuery=true, Type="Text", IsParameterQueryRequired=true]'
    return [
        f'expression {name} = "{value}" {meta}',
        f"\tlineageTag: {tag('expression', name)}",
        "",
        "\tannotation PBI_ResultType = Text",
        "",
    ]
