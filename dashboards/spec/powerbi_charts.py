"""The pages Orders and What next in the Power BI project: tables of the model, measures, and what their charts show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.spec.fields import FILTERS
from dashboards.spec.page_types import Page
from dashboards.spec.powerbi_fields import column_field, field_of, literal, measure_field, projection

URGENT = ("Out of stock", "Runs out within 7 days", "Runs out within 30 days")


@dataclass(frozen=True)
class Shown:
    """A chart of these pages.

    Attributes:
        roles: for each role of the visual, its fields, in order: ``table.column`` or the ID of a measure.
        sort: the field that it is sorted by, with a minus before it if descending.
        only: a column as ``table.column`` and the values to keep, if any.
    """

    roles: Mapping[str, tuple[str, ...]]
    sort: str
    only: tuple[str, tuple[str, ...]] | None = None


CHARTS: Mapping[str, Shown] = {
    "orders": Shown(
        {
            "Values": (
                *("fact_sales.Order", "dim_date.calendar_date", "customer_profile.state_name"),
                *("customer_profile.Customer", "dim_payment.payment_method"),
                *("order_lines", "units", "revenue"),
            )
        },
        "-dim_date.calendar_date",
    ),
    "stock_cover": Shown(
        {
            "Values": tuple(
                f"stock_cover.{name}"
                for name in (
                    *("product_code", "product_name", "category", "stock_quantity", "units_per_day"),
                    *("days_of_cover", "runs_out_on", "stock_status"),
                )
            )
        },
        "stock_cover.days_of_cover",
        only=("stock_cover.stock_status", URGENT),
    ),
    "forecast": Shown(
        {
            "Category": ("dim_date.calendar_date",),
            "Y": ("revenue_before", "forecast", "lower_80", "upper_80", "lower_95", "upper_95"),
        },
        "dim_date.calendar_date",
    ),
    "product_pairs": Shown(
        {
            "Values": tuple(
                f"product_pairs.{name}"
                for name in (
                    *("product_name", "other_product_name", "orders_together"),
                    *("support", "confidence", "lift", "pair_rank"),
                )
            )
        },
        "product_pairs.pair_rank",
    ),
    "sales_anomalies": Shown(
        {
            "Values": tuple(
                f"sales_anomalies.{name}"
                for name in ("sale_date", "category", "revenue", "expected_revenue", "deviation", "direction")
            )
        },
        "-sales_anomalies.sale_date",
    ),
    "rfm_segments": Shown(
        {
            "Category": ("rfm_segments.rfm_group",),
            "Y": ("group_customers",),
            "Tooltips": ("group_revenue_share", "group_revenue"),
        },
        "-group_customers",
    ),
    "repeat_purchases": Shown(
        {
            "Category": ("repeat_purchases.interval_band",),
            "Y": ("repeat_orders",),
            "Y2": ("cumulative_repeat_share",),
        },
        "repeat_purchases.interval_band",
    ),
    "cohort_curves": Shown(
        {
            "Category": ("cohort_curves.months_since",),
            "Series": ("cohort_curves.cohort_month",),
            "Y": ("cohort_value",),
        },
        "cohort_curves.months_since",
    ),
}

LABELS: Mapping[str, str] = {
    "calendar_date": "Day",
    "state_name": "State",
    "payment_method": "Payment method",
    "product_code": "Product ID",
    "product_name": "Product",
    "other_product_name": "Other product",
    "category": "Category",
    "stock_quantity": "Stock",
    "units_per_day": "Units per day",
    "days_of_cover": "Days of cover",
    "runs_out_on": "Runs out on",
    "stock_status": "Status",
    "orders_together": "Orders together",
    "support": "Support",
    "confidence": "Confidence",
    "lift": "Lift",
    "pair_rank": "Rank",
    "sale_date": "Day",
    "revenue": "Total revenue",
    "expected_revenue": "Expected",
    "deviation": "Deviation",
    "direction": "Direction",
}
"""The headings of columns in tables, where they differ from the model's names."""


def _field(name: str) -> dict[str, Any]:
    table, dot, rest = name.partition(".")
    return column_field(table, rest) if dot else measure_field(name)


def query_of(visual_id: str) -> dict[str, Any]:
    """The query of a chart of these pages: its fields by role, and its order."""
    shown = CHARTS[visual_id]
    state = {}
    for role, names in shown.roles.items():
        labels = [LABELS.get(name.partition(".")[2]) if role == "Values" else None for name in names]
        first = True if role in ("Category", "Series") else None
        state[role] = {
            "projections": [
                projection(_field(name), active=first, label=label) for name, label in zip(names, labels, strict=True)
            ]
        }
    direction = "Descending" if shown.sort.startswith("-") else "Ascending"
    order = {"field": _field(shown.sort.removeprefix("-")), "direction": direction}
    return {"queryState": state, "sortDefinition": {"sort": [order], "isDefaultSort": False}}


def filters_of(visual_id: str) -> list[dict[str, Any]]:
    """The filters of a chart of these pages."""
    only = CHARTS[visual_id].only
    if only is None:
        return []
    table, _, name = only[0].partition(".")
    left = {"Column": {"Expression": {"SourceRef": {"Source": "t"}}, "Property": name}}
    values = [[literal(value)["expr"]] for value in only[1]]
    return [
        {
            "name": f"only_{name}",
            "field": column_field(table, name),
            "type": "Categorical",
            "filter": {
                "Version": 2,
                "From": [{"Name": "t", "Entity": table, "Type": 0}],
                "Where": [{"Condition": {"In": {"Expressions": [left], "Values": values}}}],
            },
        }
    ]


DRILL_FIELDS = (
    *((dimension, *field_of(dimension)) for dimension in FILTERS),
    ("year", "dim_date", "year"),
    ("month", "dim_date", "month_start"),
    ("day", "dim_date", "calendar_date"),
)
"""What leads from a mark of another page to its orders: a name, and the model's table and column."""


def drill_through(page: Page) -> dict[str, Any]:
    """What makes a page the target of *Drill through* on marks of the other pages, with all their filters."""
    if not page.lists_orders:
        return {}
    filters = [
        {"name": f"drill_{name}", "field": column_field(*field), "type": "Categorical", "howCreated": "Drillthrough"}
        for name, *field in DRILL_FIELDS
    ]
    parameters = [
        {"name": f"param_{name}", "boundFilter": f"drill_{name}", "fieldExpr": column_field(*field)}
        for name, *field in DRILL_FIELDS
    ]
    return {
        "filterConfig": {"filters": filters},
        "pageBinding": {
            "name": f"{page.id}_binding",
            "type": "Drillthrough",
            "parameters": parameters,
            "acceptsFilterContext": "Default",
        },
        "type": "Drillthrough",
    }
