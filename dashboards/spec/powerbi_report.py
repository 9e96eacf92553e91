"""The report of the Power BI project (PBIR): pages, slicers, cards, and charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.spec.colors import KNOWN, NEUTRAL, NOBODY, PALETTE, color_index
from dashboards.spec.fields import DIMENSIONS, HIERARCHIES, MEASURES
from dashboards.spec.page_types import Kpi, Page, Visual
from dashboards.spec.pages import PAGES
from dashboards.spec.powerbi_files import MODEL, NAME, REPORT, SCHEMAS, platform_file, to_json
from dashboards.spec.powerbi_measures import MORE_MEASURES, measure_name
from dashboards.spec.powerbi_model import MODEL_HIERARCHIES
from ecommerce_platform.schemas import domains

WIDTH, HEIGHT, MARGIN = 1280, 720, 16
TOP, KPI_HEIGHT = 84, 86
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
    content = {
        "$schema": f"{SCHEMAS}/item/report/definition/page/2.0.0/schema.json",
        "name": page.id,
        "displayName": page.title,
        "displayOption": "FitToPage",
        "height": HEIGHT,
        "width": WIDTH,
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
    """What a click on a chart does to another one. Columns of fact_sales do not filter fact_returns."""
    is_of_sales = source.dimension is not None and field_of(source.dimension)[0] == "fact_sales"
    return "NoFilter" if is_of_sales and target.needs_returns else "DataFilter"


SLICERS = (
    ("days", "Date range", "dim_date", "calendar_date", "Between"),
    ("category", "Category", "dim_product", "category", "Dropdown"),
    ("state", "State", "customer_profile", "state_name", "Dropdown"),
    ("segment", "Segment", "customer_profile", "current_segment", "Dropdown"),
    ("payment", "Payment method", "dim_payment", "payment_method", "Dropdown"),
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
        if visual.dimension == "customer":
            containers[visual.id]["filterConfig"] = {"filters": [_without_guests()]}
    return containers


def _without_guests() -> dict[str, Any]:
    """A filter that leaves out orders without a customer, which otherwise look like those of one big customer."""
    table, column = field_of("segment")
    left = {"Column": {"Expression": {"SourceRef": {"Source": "c"}}, "Property": column}}
    right = _text(domains.GUEST)["expr"]
    is_guest = {"Comparison": {"ComparisonKind": 0, "Left": left, "Right": right}}
    return {
        "name": "without_guests",
        "field": _column(table, column),
        "type": "Advanced",
        "filter": {
            "Version": 2,
            "From": [{"Name": "c", "Entity": table, "Type": 0}],
            "Where": [{"Condition": {"Not": {"Expression": is_guest}}}],
        },
    }


Box = tuple[float, float, float, float]


def _boxes(visuals: Sequence[Visual]) -> list[tuple[Visual, Box]]:
    """Left, top, width, and height of each chart. Rows of 12 grid columns share the remaining height equally."""
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
    "buyer": ("fact_sales", "Customer type"),
    "cohort": ("agg_customer_metrics", "Cohort"),
}


def field_of(dimension: str) -> tuple[str, str]:
    """The model's table and column for a dimension."""
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
    more = [_projection(_measure_field(name)) for name in _known_measures(visual)[1:] if name != visual.beside]
    if more and visual.kind not in ("table", "heatmap"):
        state["Tooltips"] = {"projections": more}
    colors = _member_colors(visual)
    return {
        "visualType": visual.powerbi,
        "query": query,
        **({"objects": {"dataPoint": colors}} if colors else {}),
        "visualContainerObjects": _title(visual.title),
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
    left = _column(*field_of(dimension))
    return [
        {
            "properties": {"fill": {"solid": {"color": _text(color)}}},
            "selector": {
                "data": [
                    {"scopeId": {"Comparison": {"ComparisonKind": 0, "Left": left, "Right": _text(member)["expr"]}}}
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
    drawn = _measure_field(_known_measures(visual)[0])
    if visual.kind == "table":
        return {"Values": [_column(*field_of(str(visual.dimension))), *map(_measure_field, _known_measures(visual))]}
    if visual.kind == "heatmap":
        return {
            "Rows": [_column(*field_of("cohort"))],
            "Columns": [_column("fact_sales", "Months since first order")],
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
    beside = [_measure_field(visual.beside)] if visual.beside else []
    return {"Category": [_column(*field_of(str(visual.dimension)))], "Y": [drawn, *beside]}


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
