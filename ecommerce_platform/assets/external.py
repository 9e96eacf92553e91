"""What stands before raw and after analytics: systems that the platform does not run, so that lineage shows them.

Dagster materializes none of these. They are in no job, have no freshness policy, and are in no report or alert.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dagster import AssetKey, AssetObservation, AssetSpec, DagsterInstance

from ecommerce_platform.connectors.connector import read_connector
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.layers import ANALYTICS, ENGINEERING
from ecommerce_platform.settings import Settings
from ecommerce_platform.tables.asset import table_key

if TYPE_CHECKING:
    from ecommerce_platform.connectors.conversion import Converted, Exported

SHOP = AssetKey(["shop", "exports"])

SEEN_BY_THE_WEB_APPLICATION = (
    "analytics.cohort_curves",
    "analytics.product_pairs",
    "analytics.repeat_purchases",
    "analytics.rfm_segments",
    "analytics.sales_anomalies",
    "analytics.sales_forecast",
    "analytics.stock_cover",
    "production.identifiers",
    "production.loaded_days",
    "production.rejected_rows",
    "warehouse.dim_customer",
    "warehouse.dim_payment",
    "warehouse.dim_product",
    "warehouse.fact_returns",
    "warehouse.fact_sales",
    "monitoring.pipeline_report",
)
"""Views resolved: of production it sees counts, days, and the IDs of orders only."""

SEEN_BY_POWER_BI = (
    "analytics.cohort_curves",
    "analytics.product_pairs",
    "analytics.repeat_purchases",
    "analytics.rfm_segments",
    "analytics.sales_anomalies",
    "analytics.sales_forecast",
    "analytics.stock_cover",
    "production.identifiers",
    "warehouse.agg_customer_metrics",
    "warehouse.agg_daily_returns",
    "warehouse.agg_daily_sales",
    "warehouse.agg_product_performance",
    "warehouse.dim_customer",
    "warehouse.dim_date",
    "warehouse.dim_payment",
    "warehouse.dim_product",
    "warehouse.fact_returns",
    "warehouse.fact_sales",
    "warehouse.mart_customer_monthly",
    "warehouse.mart_daily_breakdown",
    "warehouse.mart_product_daily",
    "warehouse.mart_product_monthly",
    "warehouse.mart_product_returns",
)

SEEN_BY_TABLEAU = (
    "warehouse.dim_customer",
    "warehouse.dim_date",
    "warehouse.dim_payment",
    "warehouse.dim_product",
    "warehouse.fact_returns",
    "warehouse.fact_sales",
)


def _dashboard(name: str, kind: str, description: str, tables: tuple[str, ...]) -> AssetSpec:
    return AssetSpec(
        key=AssetKey(["dashboards", name]),
        description=description,
        group_name="dashboards",
        owners=list(ANALYTICS),
        kinds={"dashboard", kind},
        deps=[table_key(table) for table in tables],
    )


external_assets = [
    AssetSpec(
        key=SHOP,
        description="The shop's own systems. They export one file per feed and business day: customers, products,"
        " orders, order lines and returns. By default the synthetic shop stands in for them.",
        group_name="shop",
        owners=list(ENGINEERING),
        kinds={"source", "csv"},
    ),
    _dashboard(
        "web_application",
        "plotly",
        "Interactive pages: executive summary, products, customers, geography, orders, what next and data health."
        " Served by `ecommerce-platform up`.",
        SEEN_BY_THE_WEB_APPLICATION,
    ),
    _dashboard(
        "power_bi",
        "powerbi",
        "The Power BI project in dashboards/powerbi: the same pages and measures over the warehouse and extracts.",
        SEEN_BY_POWER_BI,
    ),
    _dashboard(
        "tableau",
        "tableau",
        "The Tableau extract: the star schema as one .hyper file, written by `ecommerce-platform export tableau`.",
        SEEN_BY_TABLEAU,
    ),
]


def landed_key(kind: str) -> AssetKey:
    """The asset of a kind of file that a connector reads: of its ``orders``, ``landing/orders_export``."""
    return AssetKey(["landing", kind if kind.endswith(("export", "exports")) else f"{kind}_export"])


def upstream_of(feed: str, settings: Settings) -> Sequence[AssetKey]:
    """What a feed's raw files are made of: the shop, its feed files, or the exports that the feed's SELECT reads."""
    if settings.source == "synthetic":
        return [SHOP]
    if settings.connector_dir is None:
        return [AssetKey(["landing", feed])]
    kinds = read_connector(settings.connector_dir).files_read_by(feed)
    return [landed_key(kind) for kind in kinds] or [SHOP]


def landed_assets(settings: Settings) -> list[AssetSpec]:
    """The user's own files: one asset per kind of file of the connector, or per feed; none of the synthetic shop."""
    if settings.source == "synthetic":
        return []
    if settings.connector_dir is None:
        return [
            _landed(AssetKey(["landing", feed]), f"Files {feed}/YYYY-MM-DD.csv in the landing folder, one per day.")
            for feed in FEEDS
        ]
    connector = read_connector(settings.connector_dir)
    return [
        _landed(
            landed_key(kind),
            f"Files {', '.join(role.pattern)} in the landing folder that the connector {connector.name} reads as its"
            f" {kind}. Each conversion of other files is an observation, with their rows, bytes and SHA-256.",
        )
        for kind, role in connector.files.items()
    ]


def _landed(key: AssetKey, description: str) -> AssetSpec:
    return AssetSpec(
        key=key,
        description=description,
        group_name="landing",
        owners=list(ENGINEERING),
        kinds={"source", "file"},
        deps=[SHOP],
    )


def observe_exports(instance: DagsterInstance, converted: Converted | None) -> None:
    """Record the files of a conversion as observations of their assets, unless the last one was of the same files.

    So a process that dies between the conversion and this loses nothing: the next one records it.
    """
    for kind, exported in {} if converted is None else converted.exports.items():
        key = landed_key(kind)
        if _last_observed(instance, key) != exported.sha256:
            instance.report_runless_asset_event(AssetObservation(key, metadata=_facts(exported)))


def _last_observed(instance: DagsterInstance, key: AssetKey) -> object:
    """The SHA-256 in the last observation of an asset."""
    for record in instance.fetch_observations(key, limit=1).records:
        observed = record.asset_observation
        value = observed.metadata.get("sha256") if observed is not None else None
        return None if value is None else value.value
    return None


def _facts(exported: Exported) -> dict[str, str | int]:
    return {
        "files": exported.files,
        "dagster/row_count": exported.rows,
        "bytes": exported.bytes,
        "sha256": exported.sha256,
    }
