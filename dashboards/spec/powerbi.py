"""The Power BI project: the specification as a semantic model (TMDL) and a report (PBIR), both plain text.

``project()`` gives every file of dashboards/powerbi by its path; the same specification gives the same bytes.
``ecommerce-platform export powerbi`` writes them. Nothing on Linux opens a project: the tests hold its JSON against
Microsoft's schemas, and its names against the database.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.spec.fields import DIMENSIONS, HIERARCHIES, MEASURES
from dashboards.spec.metrics import metric
from dashboards.spec.pages import PAGES, Kpi, Page, Visual
from ecommerce_platform.settings import PROJECT_DIR
from ecommerce_platform.tables.columns import columns_of

FOLDER = PROJECT_DIR / "dashboards" / "powerbi"
NAME = "Ecommerce"
MODEL, REPORT = f"{NAME}.SemanticModel", f"{NAME}.Report"
SCHEMAS = "https://developer.microsoft.com/json-schemas/fabric"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "ecommerce-platform/powerbi")

WIDTH, HEIGHT, MARGIN = 1280, 720, 16
TOP, KPI_HEIGHT = 84, 86

TYPES = {
    "bigint": "int64",
    "integer": "int64",
    "smallint": "int64",
    "numeric": "decimal",
    "text": "string",
    "boolean": "boolean",
    "date": "dateTime",
}
FORMATS = {"int64": "0", "decimal": "#,0.00", "dateTime": "yyyy-mm-dd"}
MEASURE_FORMATS = {"money": "#,0.00", "count": "#,0", "percent": '0.00"%"', "number": "#,0.0000"}

TABLES = (
    "fact_sales",
    "dim_date",
    "dim_customer",
    "customer_profile",
    "dim_product",
    "dim_payment",
    "agg_customer_metrics",
    "agg_daily_sales",
    "agg_product_performance",
    "mart_customer_monthly",
    "mart_daily_breakdown",
    "mart_product_daily",
    "mart_product_monthly",
)
HIDDEN = tuple(table for table in TABLES if table.startswith(("agg_", "mart_")) and table != "agg_customer_metrics")

PROFILE = (
    ("customer_key", "bigint"),
    ("customer_id", "bigint"),
    ("state_code", "text"),
    ("state_name", "text"),
    ("region", "text"),
    ("current_segment", "text"),
)
"""Columns of the view warehouse.customer_profile; a test holds them against the database."""

LEFT_OUT = {("dim_customer", "valid_to"), ("dim_product", "valid_to")}
"""Columns that hold ``infinity``, for which Power BI has no date; ``is_current`` says as much."""

RELATIONSHIPS = (
    ("fact_sales.sale_date", "dim_date.calendar_date"),
    ("fact_sales.customer_key", "dim_customer.customer_key"),
    ("fact_sales.customer_key", "customer_profile.customer_key"),
    ("fact_sales.product_key", "dim_product.product_key"),
    ("fact_sales.payment_key", "dim_payment.payment_key"),
    ("customer_profile.customer_id", "agg_customer_metrics.customer_id"),
    ("dim_product.product_id", "agg_product_performance.product_id"),
    ("agg_daily_sales.sale_date", "dim_date.calendar_date"),
    ("mart_daily_breakdown.sale_date", "dim_date.calendar_date"),
    ("mart_customer_monthly.month_start", "dim_date.calendar_date"),
    ("mart_customer_monthly.customer_id", "agg_customer_metrics.customer_id"),
    ("mart_product_daily.sale_date", "dim_date.calendar_date"),
    ("mart_product_daily.product_key", "dim_product.product_key"),
    ("mart_product_monthly.month_start", "dim_date.calendar_date"),
    ("mart_product_monthly.product_key", "dim_product.product_key"),
)
"""Many to one, the filter flows from the one to the many."""

MODEL_HIERARCHIES = (
    ("dim_date", "Calendar", (("Year", "year"), ("Month", "month_start"), ("Day", "calendar_date"))),
    ("dim_product", "Products", (("Category", "category"), ("Product", "product_name"))),
    ("customer_profile", "Places", (("Region", "region"), ("State", "state_name"))),
)

SORTED_BY = {("dim_date", "month_name"): "month", ("dim_date", "day_name"): "day_of_week"}


@dataclass(frozen=True)
class Calculated:
    """A column that DAX computes: where the database has a function, or a subtraction, instead of a column."""

    table: str
    name: str
    type: str
    dax: str
    meaning: str


CALCULATED = (
    Calculated(
        "fact_sales",
        "Discount",
        "string",
        metric("discount_band").dax(
            discount_amount="fact_sales[discount_amount]", gross="fact_sales[quantity] * fact_sales[unit_price]"
        ),
        metric("discount_band").comment,
    ),
    Calculated(
        "fact_sales",
        "Months later",
        "int64",
        "DATEDIFF ( RELATED ( agg_customer_metrics[first_order_date] ), fact_sales[sale_date], MONTH )",
        "Months from the month of the customer's first order ever to the month of the sale.",
    ),
    Calculated(
        "fact_sales",
        "Buyers",
        "string",
        'IF ( fact_sales[Months later] = 0, "New", "Returning" )',
        DIMENSIONS["buyer"].meaning,
    ),
    Calculated(
        "agg_customer_metrics",
        "Cohort",
        "dateTime",
        "EOMONTH ( agg_customer_metrics[first_order_date], -1 ) + 1",
        DIMENSIONS["cohort"].meaning,
    ),
)


def _share(part: str, whole: str) -> str:
    return metric("share").dax(part=part, whole=whole)


def _best(number: int, column: str) -> str:
    best = f"SUMX ( TOPN ( {number}, VALUES ( {column} ), [Total revenue] ), [Total revenue] )"
    return _share(best, "[Total revenue]")


MORE_MEASURES: Mapping[str, tuple[str, str, str, str]] = {
    "days_in_window": (
        "Days in window",
        "count",
        "VAR firstSale = CALCULATE ( MIN ( fact_sales[sale_date] ), REMOVEFILTERS () )"
        " VAR lastSale = CALCULATE ( MAX ( fact_sales[sale_date] ), REMOVEFILTERS () )"
        " RETURN COUNTROWS ( FILTER ( VALUES ( dim_date[calendar_date] ),"
        " dim_date[calendar_date] >= firstSale && dim_date[calendar_date] <= lastSale ) )",
        "Days of the window that lie inside the history, with and without sales.",
    ),
    "prior_revenue": (
        "Revenue, prior period",
        "money",
        "VAR firstDay = MIN ( dim_date[calendar_date] ) VAR dayCount = COUNTROWS ( VALUES ( dim_date[calendar_date] ) )"
        " RETURN CALCULATE ( [Total revenue],"
        " DATESBETWEEN ( dim_date[calendar_date], firstDay - dayCount, firstDay - 1 ) )",
        "Total revenue of as many days just before.",
    ),
    "revenue_change": (
        "Revenue change",
        "percent",
        _share("( [Total revenue] - [Revenue, prior period] )", "[Revenue, prior period]"),
        "Change against the prior period in percent.",
    ),
    "products_sold": (
        "Products sold",
        "count",
        "CALCULATE ( DISTINCTCOUNT ( dim_product[product_id] ), fact_sales )",
        "Products with at least one sale.",
    ),
    "top_ten_share": (
        "Top ten's share",
        "percent",
        _best(10, "dim_product[product_id]"),
        "Revenue of the ten best products ÷ all revenue.",
    ),
    "top_five_states_share": (
        "Top five states' share",
        "percent",
        _best(5, "customer_profile[state_code]"),
        "Revenue of the five best states ÷ all revenue.",
    ),
    "states": (
        "States with sales",
        "count",
        "CALCULATE ( DISTINCTCOUNT ( customer_profile[state_code] ), fact_sales )",
        "States with at least one order.",
    ),
    "revenue_per_customer": (
        "Revenue a customer",
        "money",
        metric("average_order_value").dax(revenue="[Total revenue]", orders="[Customers]"),
        "Total revenue ÷ customers.",
    ),
    "returning_share": (
        "Revenue from returning",
        "percent",
        _share('CALCULATE ( [Total revenue], fact_sales[Buyers] = "Returning" )', "[Total revenue]"),
        "Share of customers who bought in an earlier month.",
    ),
    "vip_share": (
        "Revenue from VIPs",
        "percent",
        _share('CALCULATE ( [Total revenue], customer_profile[current_segment] = "VIP" )', "[Total revenue]"),
        "Share of customers who are VIPs now.",
    ),
    "weekend_uplift": (
        "Weekend uplift",
        "percent",
        "VAR weekendMean = CALCULATE ( [Revenue a day], dim_date[is_weekend] = TRUE () )"
        " VAR weekdayMean = CALCULATE ( [Revenue a day], dim_date[is_weekend] = FALSE () )"
        f" RETURN {_share('( weekendMean - weekdayMean )', 'weekdayMean')}",
        "Revenue of a weekend day against a weekday.",
    ),
    "cumulative_share": (
        "Cumulative share",
        "percent",
        "VAR thisRevenue = [Total revenue]"
        " VAR bestRevenue = SUMX ("
        " FILTER ( ALLSELECTED ( dim_product[product_name] ), [Total revenue] >= thisRevenue ),"
        " [Total revenue] )"
        f" RETURN {_share('bestRevenue', 'CALCULATE ( [Total revenue], ALLSELECTED ( dim_product[product_name] ) )')}",
        "Share of the products that bring at least as much.",
    ),
    "retention": (
        "Retention",
        "percent",
        _share("[Customers]", "CALCULATE ( [Customers], REMOVEFILTERS ( fact_sales[Months later] ) )"),
        "Share of a cohort that orders again.",
    ),
}


def measure_name(measure: str) -> str:
    """The name of a measure in the model."""
    return MEASURES[measure].label if measure in MEASURES else MORE_MEASURES[measure][0]


# The model


def _tag(*parts: str) -> str:
    return str(uuid.uuid5(NAMESPACE, "/".join(parts)))


def _quoted(name: str) -> str:
    return name if name.replace("_", "").isalnum() else "'" + name.replace("'", "''") + "'"


def model_columns(table: str) -> list[tuple[str, str, str]]:
    """Name, type in PostgreSQL and comment of each column that the model takes from the database."""
    if table == "customer_profile":
        return [(name, type_, "") for name, type_ in PROFILE]
    return [
        (column.name, column.base_type, column.comment or "")
        for column in columns_of(f"warehouse.{table}")
        if (table, column.name) not in LEFT_OUT
    ]


def _table(table: str) -> str:
    lines = [f"table {_quoted(table)}"]
    if table in HIDDEN:
        lines.append("\tisHidden")
    lines += [f"\tlineageTag: {_tag(table)}", ""]
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
        if (name.endswith("_key") and name in keys) or table == "fact_sales":
            lines.append("\t\tisHidden")
        if data_type in FORMATS:
            lines.append(f"\t\tformatString: {'mmm yyyy' if name == 'month_start' else FORMATS[data_type]}")
        lines += [f"\t\tlineageTag: {_tag(table, name)}", "\t\tsummarizeBy: none", f"\t\tsourceColumn: {name}"]
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
            lines += [f"\t\tlineageTag: {_tag(table, column.name)}", "\t\tsummarizeBy: none", ""]
    for owner, name, levels in MODEL_HIERARCHIES:
        if owner == table:
            lines += [f"\thierarchy {_quoted(name)}", f"\t\tlineageTag: {_tag(table, 'hierarchy', name)}", ""]
            for level, source in levels:
                lines += [
                    f"\t\tlevel {_quoted(level)}",
                    f"\t\t\tlineageTag: {_tag(table, 'hierarchy', name, level)}",
                    f"\t\t\tcolumn: {source}",
                    "",
                ]
    return "\n".join([*lines, *_partition(table)]) + "\n"


def _measure(name: str, dax: str, format_: str, meaning: str) -> list[str]:
    return [
        f"\t/// {meaning}",
        f"\tmeasure {_quoted(name)} = {dax}",
        f"\t\tformatString: {MEASURE_FORMATS[format_]}",
        f"\t\tlineageTag: {_tag('measure', name)}",
        "",
    ]


def _partition(table: str) -> list[str]:
    names = ", ".join(f'"{name}"' for name, _, _ in model_columns(table))
    query = [
        "let",
        "    Source = PostgreSQL.Database(Server, Database),",
        f'    Data = Source{{[Schema = "warehouse", Item = "{table}"]}}[Data],',
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


def _model_files() -> dict[str, str]:
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
                "/// Address of PostgreSQL, with :PORT where it is not 5432.",
                *_parameter("Server", "localhost"),
                "/// Name of the platform's database.",
                *_parameter("Database", "ecommerce"),
            ]
        ),
        f"{MODEL}/definition/relationships.tmdl": "\n".join(
            line
            for start, end in RELATIONSHIPS
            for line in (
                f"relationship {_tag('relationship', start, end)}",
                f"\tfromColumn: {start}",
                f"\ttoColumn: {end}",
                "",
            )
        ),
        f"{MODEL}/definition.pbism": _json(
            {"$schema": f"{SCHEMAS}/item/semanticModel/definitionProperties/1.0.0/schema.json", "version": "4.2"}
        ),
        f"{MODEL}/.platform": _platform("SemanticModel"),
    }
    return {**files, **{f"{MODEL}/definition/tables/{table}.tmdl": _table(table) for table in TABLES}}


def _parameter(name: str, value: str) -> list[str]:
    meta = 'meta [IsParameterQuery=true, Type="Text", IsParameterQueryRequired=true]'
    return [
        f'expression {name} = "{value}" {meta}',
        f"\tlineageTag: {_tag('expression', name)}",
        "",
        "\tannotation PBI_ResultType = Text",
        "",
    ]


# The report


def _report_files() -> dict[str, str]:
    pages = [page for page in PAGES if page.in_powerbi]
    definition = f"{REPORT}/definition"
    files = {
        f"{NAME}.pbip": _json(
            {
                "$schema": f"{SCHEMAS}/pbip/pbipProperties/1.0.0/schema.json",
                "version": "1.0",
                "artifacts": [{"report": {"path": REPORT}}],
                "settings": {"enableAutoRecovery": True},
            }
        ),
        f"{REPORT}/.platform": _platform("Report"),
        f"{REPORT}/definition.pbir": _json(
            {
                "$schema": f"{SCHEMAS}/item/report/definitionProperties/2.0.0/schema.json",
                "version": "4.0",
                "datasetReference": {"byPath": {"path": f"../{MODEL}"}},
            }
        ),
        f"{definition}/version.json": _json(
            {"$schema": f"{SCHEMAS}/item/report/definition/versionMetadata/1.0.0/schema.json", "version": "2.0.0"}
        ),
        f"{definition}/report.json": _json(
            {
                "$schema": f"{SCHEMAS}/item/report/definition/report/3.0.0/schema.json",
                "themeCollection": {
                    "baseTheme": {
                        "name": "CY24SU10",
                        "reportVersionAtImport": {"visual": "1.8.95", "report": "2.0.95", "page": "1.3.95"},
                        "type": "SharedResources",
                    }
                },
                "settings": {
                    "useEnhancedTooltips": True,
                    "defaultDrillFilterOtherVisuals": True,
                    "exportDataMode": "AllowSummarized",
                },
            }
        ),
        f"{definition}/pages/pages.json": _json(
            {
                "$schema": f"{SCHEMAS}/item/report/definition/pagesMetadata/1.0.0/schema.json",
                "pageOrder": [page.id for page in pages],
                "activePageName": pages[0].id,
            }
        ),
    }
    for page in pages:
        visuals = _visuals(page)
        charts = [visual.id for visual in page.visuals if visual.powerbi]
        files[f"{definition}/pages/{page.id}/page.json"] = _json(
            {
                "$schema": f"{SCHEMAS}/item/report/definition/page/2.0.0/schema.json",
                "name": page.id,
                "displayName": page.title,
                "displayOption": "FitToPage",
                "height": HEIGHT,
                "width": WIDTH,
                # A click filters the other charts; Power BI would only highlight a part of them.
                "visualInteractions": [
                    {"source": source, "target": target, "type": "DataFilter"}
                    for source in charts
                    for target in charts
                    if source != target
                ],
            }
        )
        for name, content in visuals.items():
            files[f"{definition}/pages/{page.id}/visuals/{name}/visual.json"] = _json(content)
    return files


SLICERS = (
    ("days", "Days", "dim_date", "calendar_date", "Between"),
    ("category", "Category", "dim_product", "category", "Dropdown"),
    ("state", "State", "customer_profile", "state_name", "Dropdown"),
    ("segment", "Segment", "customer_profile", "current_segment", "Dropdown"),
    ("payment", "Payment", "dim_payment", "payment_method", "Dropdown"),
)


def _visuals(page: Page) -> dict[str, dict[str, Any]]:
    containers: dict[str, dict[str, Any]] = {}
    step = (WIDTH - MARGIN) / len(SLICERS)
    for place, (name, title, table, column, mode) in enumerate(SLICERS):
        slicer = {
            "visualType": "slicer",
            "query": {"queryState": {"Values": {"projections": [_projection(_column(table, column))]}}},
            "objects": {"data": [{"properties": {"mode": _text(mode)}}]},
            "visualContainerObjects": _title(title),
            "syncGroup": {"groupName": name, "fieldChanges": True, "filterChanges": True},
            "drillFilterOtherVisuals": True,
        }
        box = (MARGIN + place * step, 8, step - MARGIN, TOP - MARGIN)
        containers[f"slicer_{name}"] = _container(f"slicer_{name}", box, place, slicer)
    width = (WIDTH - MARGIN) / len(page.kpis)
    for place, kpi in enumerate(page.kpis):
        box = (MARGIN + place * width, TOP, width - MARGIN, KPI_HEIGHT)
        containers[f"card_{kpi.id}"] = _container(f"card_{kpi.id}", box, 10 + place, _card(kpi))
    for place, (visual, box) in enumerate(_boxes([visual for visual in page.visuals if visual.powerbi])):
        containers[visual.id] = _container(visual.id, box, 20 + place, _chart(visual))
    return containers


Box = tuple[float, float, float, float]


def _boxes(visuals: Sequence[Visual]) -> list[tuple[Visual, Box]]:
    """Each chart's left, top, width and height: rows of twelve columns share the height that is left."""
    rows: list[list[Visual]] = [[]]
    for visual in visuals:
        if sum(other.span for other in rows[-1]) + visual.span > 12:
            rows.append([])
        rows[-1].append(visual)
    begin = TOP + KPI_HEIGHT + MARGIN
    height = (HEIGHT - begin) / len(rows)
    column = (WIDTH - MARGIN) / 12
    boxes = []
    for number, row in enumerate(rows):
        left = float(MARGIN)
        for visual in row:
            boxes.append((visual, (left, begin + number * height, visual.span * column - MARGIN, height - MARGIN)))
            left += visual.span * column
    return boxes


def _container(name: str, box: Box, order: int, visual: Mapping[str, Any]) -> dict[str, Any]:
    left, top, width, height = (round(value, 2) for value in box)
    schema = f"{SCHEMAS}/item/report/definition/visualContainer/2.0.0/schema.json"
    position = {"x": left, "y": top, "z": order, "height": height, "width": width, "tabOrder": order}
    return {"$schema": schema, "name": name, "position": position, "visual": dict(visual)}


def _card(kpi: Kpi) -> dict[str, Any]:
    return {
        "visualType": "card",
        "query": {"queryState": {"Values": {"projections": [_projection(_measure_field(kpi.measure or kpi.id))]}}},
        "visualContainerObjects": _title(kpi.label),
        "drillFilterOtherVisuals": True,
    }


CHART_FIELDS: Mapping[str, tuple[str, str]] = {
    "discount_band": ("fact_sales", "Discount"),
    "buyer": ("fact_sales", "Buyers"),
    "cohort": ("agg_customer_metrics", "Cohort"),
}


def field_of(dimension: str) -> tuple[str, str]:
    """Table and column of a dimension in the model."""
    return CHART_FIELDS.get(dimension, (DIMENSIONS[dimension].table, DIMENSIONS[dimension].column))


def _chart(visual: Visual) -> dict[str, Any]:
    roles = _roles(visual)
    sort = roles.get("Y", roles.get("Value", roles.get("Values", [])))
    state = {
        role: {
            "projections": [
                _projection(field, active=True if role in ("Category", "Rows") and place == 0 else None)
                for place, field in enumerate(fields)
            ]
        }
        for role, fields in roles.items()
    }
    query: dict[str, Any] = {"queryState": state}
    if visual.kind in ("bar", "donut", "pareto", "table"):
        by = _measure_field("revenue") if visual.kind == "pareto" else sort[-1 if visual.kind == "donut" else 0]
        if visual.kind == "table":
            by = _measure_field(visual.measures[0])
        query["sortDefinition"] = {"sort": [{"field": by, "direction": "Descending"}], "isDefaultSort": False}
    if visual.kind == "pareto":
        state["Tooltips"] = {"projections": [_projection(_measure_field("revenue"))]}
    return {
        "visualType": visual.powerbi,
        "query": query,
        "visualContainerObjects": _title(visual.title),
        "drillFilterOtherVisuals": True,
    }


def _roles(visual: Visual) -> dict[str, list[dict[str, Any]]]:
    drawn = _measure_field(visual.measures[0] if visual.measures[0] != "order_share" else "orders")
    if visual.kind == "table":
        known = [name for name in visual.measures if name in MEASURES or name in MORE_MEASURES]
        return {"Values": [_column(*field_of(str(visual.dimension))), *map(_measure_field, known)]}
    if visual.kind == "heatmap":
        return {
            "Rows": [_column(*field_of("cohort"))],
            "Columns": [_column("fact_sales", "Months later")],
            "Values": [_measure_field("retention")],
        }
    if visual.kind == "map":
        return {"Category": [_column(*field_of("state"))], "Value": [drawn]}
    if visual.kind == "lines":
        return {"Category": [_column("dim_date", "month_name")], "Series": [_column("dim_date", "year")], "Y": [drawn]}
    if visual.kind == "stack":
        return {"Category": [_column("dim_date", "month_start")], "Series": [_column(*field_of("buyer"))], "Y": [drawn]}
    if visual.kind == "share_stack":
        series = [_column(*field_of(str(visual.dimension)))]
        return {"Category": [_column(*field_of("region"))], "Series": series, "Y": [drawn]}
    if visual.hierarchy == "time":
        table, name, levels = MODEL_HIERARCHIES[0]
        return {"Category": [_level(table, name, level) for level, _ in levels], "Y": [drawn]}
    if visual.hierarchy is not None:
        return {"Category": [_column(*field_of(level)) for level in HIERARCHIES[visual.hierarchy].levels], "Y": [drawn]}
    return {"Category": [_column(*field_of(str(visual.dimension)))], "Y": [drawn]}


def _source(table: str) -> dict[str, Any]:
    return {"SourceRef": {"Entity": table}}


def _column(table: str, column: str) -> dict[str, Any]:
    return {"Column": {"Expression": _source(table), "Property": column}}


def _measure_field(measure: str) -> dict[str, Any]:
    return {"Measure": {"Expression": _source("fact_sales"), "Property": measure_name(measure)}}


def _level(table: str, hierarchy: str, level: str) -> dict[str, Any]:
    inner = {"Hierarchy": {"Expression": _source(table), "Hierarchy": hierarchy}}
    return {"HierarchyLevel": {"Expression": inner, "Level": level}}


def _projection(field: Mapping[str, Any], active: bool | None = None) -> dict[str, Any]:
    (kind, body), *_ = field.items()
    if kind == "HierarchyLevel":
        hierarchy = body["Expression"]["Hierarchy"]
        table = hierarchy["Expression"]["SourceRef"]["Entity"]
        reference, native = f"{table}.{hierarchy['Hierarchy']}.{body['Level']}", body["Level"]
    else:
        reference, native = f"{body['Expression']['SourceRef']['Entity']}.{body['Property']}", body["Property"]
    return {
        "field": dict(field),
        "queryRef": reference,
        "nativeQueryRef": native,
        **({} if active is None else {"active": active}),
    }


def _text(value: str) -> dict[str, Any]:
    return {"expr": {"Literal": {"Value": "'" + value.replace("'", "''") + "'"}}}


def _title(text: str) -> dict[str, Any]:
    show = {"expr": {"Literal": {"Value": "true"}}}
    return {"title": [{"properties": {"show": show, "text": _text(text)}}]}


# Files


def _platform(kind: str) -> str:
    return _json(
        {
            "$schema": f"{SCHEMAS}/gitIntegration/platformProperties/2.0.0/schema.json",
            "metadata": {"type": kind, "displayName": NAME},
            "config": {"version": "2.0", "logicalId": _tag("platform", kind)},
        }
    )


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def project() -> dict[str, str]:
    """Every file of the project, by its path below the folder."""
    return dict(sorted({**_model_files(), **_report_files()}.items()))


def write_project(folder: Path = FOLDER) -> Iterable[str]:
    """Write the project into a folder; what else its two parts held is removed, other files of the folder stay.

    Returns:
        The paths written, below the folder.
    """
    for part in (MODEL, REPORT):
        shutil.rmtree(folder / part, ignore_errors=True)
    files = project()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    return files
