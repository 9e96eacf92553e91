"""How the files of the Power BI report name columns, measures, and texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dashboards.spec.fields import DIMENSIONS
from dashboards.spec.powerbi_measures import measure_name

CHART_FIELDS: Mapping[str, tuple[str, str]] = {
    "discount_band": ("fact_sales", "Discount"),
    "product": ("dim_product", "Product"),
    "buyer": ("fact_sales", "Customer type"),
    "cohort": ("agg_customer_metrics", "Cohort"),
}


def field_of(dimension: str) -> tuple[str, str]:
    """The model's table and column for a dimension."""
    return CHART_FIELDS.get(dimension, (DIMENSIONS[dimension].table, DIMENSIONS[dimension].column))


def _source(table: str) -> dict[str, Any]:
    return {"SourceRef": {"Entity": table}}


def column_field(table: str, name: str) -> dict[str, Any]:
    """A column of the model."""
    return {"Column": {"Expression": _source(table), "Property": name}}


def measure_field(measure_id: str) -> dict[str, Any]:
    """A measure of the model, by its ID in the specification."""
    return {"Measure": {"Expression": _source("fact_sales"), "Property": measure_name(measure_id)}}


def level_field(table: str, hierarchy: str, name: str) -> dict[str, Any]:
    """A level of a hierarchy of the model."""
    inner = {"Hierarchy": {"Expression": _source(table), "Hierarchy": hierarchy}}
    return {"HierarchyLevel": {"Expression": inner, "Level": name}}


def projection(field: Mapping[str, Any], active: bool | None = None, label: str | None = None) -> dict[str, Any]:
    """A field as a visual shows it, under a name of its own if there is a label."""
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
        **({} if label is None else {"displayName": label}),
        **({} if active is None else {"active": active}),
    }


def literal(value: str) -> dict[str, Any]:
    """A text as the value of a property."""
    return {"expr": {"Literal": {"Value": "'" + value.replace("'", "''") + "'"}}}


def title_of(value: str) -> dict[str, Any]:
    """The title of a visual."""
    show = {"expr": {"Literal": {"Value": "true"}}}
    return {"title": [{"properties": {"show": show, "text": literal(value)}}]}
