"""The report of the Power BI project (PBIR): pages, slicers, cards, and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.spec.colors import KNOWN, NEUTRAL, NOBODY, PALETTE, color_index
from dashboards.spec.fields import HIERARCHIES, MEASURES
from dashboards.spec.page_types import Kpi, Page, Visual
from dashboards.spec.pages import PAGES
from dashboards.spec.powerbi_charts import CHARTS, drill_through, filters_of, query_of
from dashboards.spec.powerbi_fields import (
    column_field,
    field_of,
    level_field,
    literal,
    measure_field,
    projection,
    title_of,
)
from dashboards.spec.powerbi_files import MODEL, NAME, REPORT, SCHEMAS, platform_file, to_json
from dashboards.spec.powerbi_measures import MORE_MEASURES
from dashboards.spec.powerbi_model import MODEL_HIERARCHIES
from ecommerce_platform.schemas import domains

WIDTH, HEIGHT, MARGIN = 1280, 720, 16
TOP, KPI_HEIGHT = 84, 86
MOST_ROWS, ROW_HEIGHT = 3, 240
"""Rows of charts that fit on the screen, and the height of each on a longer page."""
DEFINITION = f"{REPORT}/definition"
THEME = "Ecommerce.json"
RESOURCES = "RegisteredResources"
"""The folder of the report's own theme, whose name the format fixes."""


def report_files() -> dict[str, str]:
    """All files of the report and the project file: relative path to content."""
    pages = [page for page in PAGES if page.in_powerbi]
    files = _project_files(pages)
    for page in pages:
        files |= _page_files(page)
    return files


def _project_files(pages: Sequence[Page]) -> dict[str, str]:
    """The files that exist once."""
    return {
        f"{NAME}.pbip": to_json(
            {
                "$schema": f"{SCHEMAS}/pbip/pbipProperties/1.0.0/schema.json",
                "version": "1.0",
                "artifacts": [{"report": {"path": REPORT}}],
                "settings": {"enableAutoRecovery": True},
            }
        ),
        f"{REPORT}/.platform": platform_file("Report"),
        f"{REPORT}/definition.pbir": to_json(
            {
                "$schema": f"{SCHEMAS}/item/report/definitionProperties/2.0.0/schema.json",
                "version": "4.0",
                "datasetReference": {"byPath": {"path": f"../{MODEL}"}},
            }
        ),
        f"{DEFINITION}/version.json": to_json(
            {"$schema": f"{SCHEMAS}/item/report/definition/versionMetadata/1.0.0/schema.json", "version": "2.0.0"}
        ),
        f"{DEFINITION}/report.json": to_json(
            {
                "$schema": f"{SCHEMAS}/item/report/definition/report/3.0.0/schema.json",
                "themeCollection": {
                    "baseTheme": {
                        "name": "CY24SU10",
                        "reportVersionAtImport": {"visual": "1.8.95", "report": "2.0.95", "page": "1.3.95"},
                        "type": "SharedResources",
                    },
                    "customTheme": {
                        "name": THEME,
                        "reportVersionAtImport": {"visual": "1.8.95", "report": "2.0.95", "page": "1.3.95"},
                        "type": RESOURCES,
                    },
                },
                "resourcePackages": [
                    {
                        "name": RESOURCES,
                        "type": RESOURCES,
                        "items": [{"name": THEME, "path": THEME, "type": "CustomTheme"}],
                    }
                ],
                "settings": {
                    "useEnhancedTooltips": True,
                    "defaultDrillFilterOtherVisuals": True,
                    "exportDataMode": "AllowSummarized",
                },
            }
        ),
        f"{REPORT}/StaticResources/{RESOURCES}/{THEME}": to_json(
            {"name": NAME, "dataColors": [*PALETTE, NEUTRAL], "tableAccent": PALETTE[0]}
        ),
        f"{DEFINITION}/pages/pages.json": to_json(
            {
                "$schema": f"{SCHEMAS}/item/report/definition/pagesMetadata/1.0.0/schema.json",
                "pageOrder": [page.id for page in pages],
                "activePageName": pages[0].id,
            }
        ),
    }


def _page_files(page: Page) -> dict[str, str]:
    """The files of one page and its visuals."""
    folder = f"{DEFINITION}/pages/{page.id}"
    charts = [visual for visual in page.visuals if visual.powerbi]
    height = _height(page)
    content = {
        "$schema": f"{SCHEMAS}/item/report/definition/page/2.0.0/schema.json",
        "name": page.id,
        "displayName": page.title,
        "displayOption": "FitToPage" if height == HEIGHT else "FitToWidth",
        "height": height,
        "width": WIDTH,
        **drill_through(page),
        # By default, a click in Power BI highlights the other charts instead of filtering them.
        "visualInteractions": [
            {"source": source.id, "target": target.id, "type": _interaction(source, target)}
            for source in charts
            for target in charts
            if source != target
        ],
    }
    visuals = {f"{folder}/visuals/{name}/visual.json": to_json(visual) for name, visual in _visuals(page).items()}
    return {f"{folder}/page.json": to_json(content), **visuals}


def _interaction(source: Visual, target: Visual) -> str:
    """What a click on a chart does to another one. Columns of fact_sales do not filter fact_returns, and an extract
    filters nothing."""
    if source.id in CHARTS:
        return "NoFilter"
    is_of_sales = source.dimension is not None and field_of(source.dimension)[0] == "fact_sales"
    return "NoFilter" if is_of_sales and target.needs_returns else "DataFilter"


SLICERS = (
    ("days", "Date range", "dim_date", "calendar_date", "Between"),
    ("category", "Category", "dim_product", "category", "Dropdown"),
    ("state", "State", "customer_profile", "state_name", "Dropdown"),
    ("segment", "Segment", "customer_profile", "current_segment", "Dropdown"),
    ("payment", "Payment method", "dim_payment", "payment_method", "Dropdown"),
)


def has_slicers(page: Page) -> bool:
    """Whether the numbers of a page follow filters. Extracts, as on What next, are about the whole shop."""
    return page.lists_orders or any(visual.measures for visual in page.visuals)


def _rows(page: Page) -> list[list[Visual]]:
    """The charts of a page in rows of 12 grid columns."""
    rows: list[list[Visual]] = [[]]
    for visual in page.visuals:
        if visual.powerbi:
            if sum(other.span for other in rows[-1]) + visual.span > 12:
                rows.append([])
            rows[-1].append(visual)
    return rows


def _height(page: Page) -> float:
    """The height of a page: that of the screen, or more for more than three rows of charts."""
    rows = len(_rows(page))
    return HEIGHT if rows <= MOST_ROWS else _charts_begin(page) + rows * ROW_HEIGHT


def _charts_begin(page: Page) -> float:
    return (TOP if has_slicers(page) else MARGIN) + KPI_HEIGHT + MARGIN


def _visuals(page: Page) -> dict[str, dict[str, Any]]:
    containers: dict[str, dict[str, Any]] = {}
    step = (WIDTH - MARGIN) / len(SLICERS)
    for place, (name, title, table, column, mode) in enumerate(SLICERS if has_slicers(page) else ()):
        slicer = {
            "visualType": "slicer",
            "query": {"queryState": {"Values": {"projections": [projection(column_field(table, column))]}}},
            "objects": {"data": [{"properties": {"mode": literal(mode)}}]},
            "visualContainerObjects": title_of(title),
            "syncGroup": {"groupName": name, "fieldChanges": True, "filterChanges": True},
            "drillFilterOtherVisuals": True,
        }
        box = (MARGIN + place * step, 8, step - MARGIN, TOP - MARGIN)
        containers[f"slicer_{name}"] = _container(f"slicer_{name}", box, place, slicer)
    width = (WIDTH - MARGIN) / len(page.kpis)
    for place, kpi in enumerate(page.kpis):
        box = (MARGIN + place * width, _charts_begin(page) - KPI_HEIGHT - MARGIN, width - MARGIN, KPI_HEIGHT)
        containers[f"card_{kpi.id}"] = _container(f"card_{kpi.id}", box, 10 + place, _card(kpi))
    for place, (visual, box) in enumerate(_boxes(page)):
        containers[visual.id] = _container(visual.id, box, 20 + place, _chart(visual))
        filters = filters_of(visual.id) if visual.id in CHARTS else []
        if visual.dimension == "customer":
            filters = [_without_guests()]
        if filters:
            containers[visual.id]["filterConfig"] = {"filters": filters}
    return containers


def _without_guests() -> dict[str, Any]:
    """A filter that leaves out orders without a customer, which otherwise look like those of one big customer."""
    table, column = field_of("segment")
    left = {"Column": {"Expression": {"SourceRef": {"Source": "c"}}, "Property": column}}
    right = literal(domains.GUEST)["expr"]
    is_guest = {"Comparison": {"ComparisonKind": 0, "Left": left, "Right": right}}
    return {
        "name": "without_guests",
        "field": column_field(table, column),
        "type": "Advanced",
        "filter": {
            "Version": 2,
            "From": [{"Name": "c", "Entity": table, "Type": 0}],
            "Where": [{"Condition": {"Not": {"Expression": is_guest}}}],
        },
    }


Box = tuple[float, float, float, float]


def _boxes(page: Page) -> list[tuple[Visual, Box]]:
    """Left, top, width, and height of each chart. The rows share the height below the KPIs equally."""
    rows, begin = _rows(page), _charts_begin(page)
    height = (_height(page) - begin) / len(rows)
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
        "query": {"queryState": {"Values": {"projections": [projection(measure_field(kpi.measure or kpi.id))]}}},
        "visualContainerObjects": title_of(kpi.label),
        "drillFilterOtherVisuals": True,
    }


def _chart(visual: Visual) -> dict[str, Any]:
    if visual.id in CHARTS:
        return {
            "visualType": visual.powerbi,
            "query": query_of(visual.id),
            "visualContainerObjects": title_of(visual.title),
            "drillFilterOtherVisuals": True,
        }
    roles = _roles(visual)
    sort = roles.get("Y", roles.get("Value", roles.get("Values", [])))
    state = {
        role: {
            "projections": [
                projection(field, active=True if role in ("Category", "Rows") and place == 0 else None)
                for place, field in enumerate(fields)
            ]
        }
        for role, fields in roles.items()
    }
    query: dict[str, Any] = {"queryState": state}
    if visual.kind in ("bar", "donut", "pareto", "table"):
        by = measure_field("revenue") if visual.kind == "pareto" else sort[-1 if visual.kind == "donut" else 0]
        if visual.kind == "table":
            by = measure_field(visual.measures[0])
        query["sortDefinition"] = {"sort": [{"field": by, "direction": "Descending"}], "isDefaultSort": False}
    more = [projection(measure_field(name)) for name in _known_measures(visual)[1:] if name != visual.beside]
    if more and visual.kind not in ("table", "heatmap"):
        state["Tooltips"] = {"projections": more}
    colors = _member_colors(visual)
    return {
        "visualType": visual.powerbi,
        "query": query,
        **({"objects": {"dataPoint": colors}} if colors else {}),
        "visualContainerObjects": title_of(visual.title),
        "drillFilterOtherVisuals": True,
    }


def _member_colors(visual: Visual) -> list[dict[str, Any]]:
    """The colors of the members that are known without data, in the charts whose colors stand for members."""
    dimension = str(visual.dimension)
    is_colored = visual.kind in ("donut", "stack", "share_stack") or dimension == "segment"
    if dimension not in KNOWN or visual.beside or not is_colored:
        return []
    members = KNOWN[dimension]
    colors = {member: PALETTE[color_index(member, members)] for member in members if member not in NOBODY}
    colors |= {
        member: NEUTRAL for member in NOBODY if member in members or (member, dimension) == ("Unknown", "payment")
    }
    left = column_field(*field_of(dimension))
    return [
        {
            "properties": {"fill": {"solid": {"color": literal(color)}}},
            "selector": {
                "data": [
                    {"scopeId": {"Comparison": {"ComparisonKind": 0, "Left": left, "Right": literal(member)["expr"]}}}
                ]
            },
        }
        for member, color in colors.items()
    ]


def _known_measures(visual: Visual) -> list[str]:
    """The measures of a chart that the model has."""
    names = ["orders" if name == "order_share" else name for name in visual.measures]
    return [name for name in dict.fromkeys(names) if name in MEASURES or name in MORE_MEASURES]


def _roles(visual: Visual) -> dict[str, list[dict[str, Any]]]:
    drawn = measure_field(_known_measures(visual)[0])
    if visual.kind == "table":
        return {
            "Values": [column_field(*field_of(str(visual.dimension))), *map(measure_field, _known_measures(visual))]
        }
    if visual.kind == "heatmap":
        return {
            "Rows": [column_field(*field_of("cohort"))],
            "Columns": [column_field("fact_sales", "Months since first order")],
            "Values": [measure_field("retention")],
        }
    if visual.kind == "map":
        return {"Category": [column_field(*field_of("state"))], "Value": [drawn]}
    if visual.kind == "lines":
        return {
            "Category": [column_field("dim_date", "month_name")],
            "Series": [column_field("dim_date", "year")],
            "Y": [drawn],
        }
    if visual.kind == "stack":
        return {
            "Category": [column_field("dim_date", "month_start")],
            "Series": [column_field(*field_of("buyer"))],
            "Y": [drawn],
        }
    if visual.kind == "share_stack":
        series = [column_field(*field_of(str(visual.dimension)))]
        return {"Category": [column_field(*field_of("region"))], "Series": series, "Y": [drawn]}
    if visual.hierarchy == "time":
        table, name, levels = MODEL_HIERARCHIES[0]
        return {"Category": [level_field(table, name, level) for level, _ in levels], "Y": [drawn]}
    if visual.hierarchy is not None:
        return {
            "Category": [column_field(*field_of(level)) for level in HIERARCHIES[visual.hierarchy].levels],
            "Y": [drawn],
        }
    beside = [measure_field(visual.beside)] if visual.beside else []
    return {"Category": [column_field(*field_of(str(visual.dimension)))], "Y": [drawn, *beside]}
