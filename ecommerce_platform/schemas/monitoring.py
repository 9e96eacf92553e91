"""Monitoring: the platform's reports on its own data, runs, and database."""

from __future__ import annotations

from pandera.ibis import Check

from ecommerce_platform.layers import LAYERS
from ecommerce_platform.schemas.rules import not_blank, optional, required, rule, table_schema

QualityReport = table_schema(
    "monitoring.quality_report",
    {
        "table_name": required(not_blank),
        "check_name": required(not_blank),
        "severity": required(Check.isin(["ERROR", "WARN"])),
        "passed": required(),
        "rows_tested": optional(Check.ge(0)),
        "violations": optional(Check.ge(0)),
        "score": optional(Check.in_range(0, 100)),
        "grade": required(Check.isin(["A", "B", "C", "D", "F"])),
        "description": optional(),
        "checked_at": required(),
        "days": required(not_blank),
    },
    key=("table_name", "check_name"),
    rules=(rule("grade is A if and only if passed", lambda t: (t.grade == "A") == t.passed),),
)

PipelineReport = table_schema(
    "monitoring.pipeline_report",
    {
        "table_name": required(Check.str_matches(r"^[a-z_]+\.[a-z0-9_]+$")),
        "layer": required(Check.isin(list(LAYERS))),
        "row_count": required(Check.ge(0)),
        "total_bytes": required(Check.ge(0)),
        "last_materialized_at": optional(),
        "last_run_id": optional(),
        "latest_day": optional(),
        "lag_days": optional(),
        "last_run_status": optional(not_blank),
        "last_run_seconds": optional(Check.ge(0)),
        "write_seconds": optional(Check.ge(0)),
        "latest_day_rows": optional(Check.ge(0)),
        "least_expected_rows": optional(Check.ge(0)),
        "most_expected_rows": optional(Check.ge(0)),
        "is_unusual": optional(),
    },
    key=("table_name",),
    rules=(rule("layer matches table_name", lambda t: t.table_name.startswith(t.layer + ".")),),
)

DatabaseHealth = table_schema(
    "monitoring.database_health",
    {
        "metric": required(not_blank),
        "value": required(Check.ge(0)),
        "unit": required(Check.isin(["bytes", "count", "percent", "seconds"])),
        "least": optional(),
        "most": optional(),
        "is_healthy": required(),
        "description": required(not_blank),
        "measured_at": required(),
    },
    key=("metric",),
)
