"""Reconciliation: every row is accounted for, and all layers agree to the cent.

A daily run compares adjacent layers for the rows that its days affect: files with staging, staging with production,
production with the fact, the fact with the aggregates, the aggregates with each other and with the extracts.
Each comparison is cheap, and together they cover the path from the files to the dashboards. Without a window, whole
tables are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ecommerce_platform.checks.accounting import rows_are_accounted_for
from ecommerce_platform.checks.completeness import file_is_complete
from ecommerce_platform.checks.outcome import (
    TableCheck,
    sql_check,
)
from ecommerce_platform.checks.returns import returns_agree_with_production, returns_have_the_keys_of_their_sales
from ecommerce_platform.checks.sales import fact_agrees_with_production, versions_are_valid_on_sale_date
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.settings import load_settings

DAILY = "warehouse.agg_daily_sales"

SALE_DAYS = """
    select distinct sale_date from warehouse.fact_sales
    where partition_date >= %(start)s and partition_date < %(end)s
"""
SALE_MONTHS = """
    select distinct date_trunc('month', sale_date)::date from warehouse.fact_sales
    where partition_date >= %(start)s and partition_date < %(end)s
"""
DAYS_OF_RETURNED_SALES = """
    select distinct sale_date from warehouse.fact_returns
    where partition_date >= %(start)s and partition_date < %(end)s
"""
RETURN_DAYS = DAYS_OF_RETURNED_SALES.replace("sale_date", "return_date")
MONTHS_OF_RETURNED_SALES = DAYS_OF_RETURNED_SALES.replace("sale_date", "date_trunc('month', sale_date)::date")
CUSTOMERS_WHO_BOUGHT = """
    select customer_id from warehouse.fact_sales
    where partition_date >= %(start)s and partition_date < %(end)s
"""


def raw_folder_of_settings() -> Path:
    """The raw folder of the settings."""
    return load_settings().raw


def reconciliation_checks(raw_folder: Callable[[], Path] = raw_folder_of_settings) -> list[TableCheck]:
    """All reconciliation checks. ``raw_folder`` returns the folder of the files FEED/YYYY-MM-DD.csv."""
    return [
        *(file_is_complete(feed, raw_folder) for feed in FEEDS),
        rows_are_accounted_for(),
        fact_agrees_with_production(),
        versions_are_valid_on_sale_date(),
        returns_agree_with_production(),
        returns_have_the_keys_of_their_sales(),
        *_returns_agree(),
        *_aggregates_agree(),
        *_extracts_agree(),
    ]


def agrees(
    table: str,
    other: str,
    *,
    key: Sequence[str],
    measures: Sequence[str],
    ours: str,
    theirs: str,
    concerned: Mapping[str, str] | None = None,
) -> TableCheck:
    """A check that two SELECTs return the same ``measures`` for each ``key``, or in total if there is no key.

    Args:
        table: the table that is checked.
        other: the table that it is compared with.
        key: columns of both SELECTs that identify a row.
        measures: columns of both SELECTs that must be equal.
        ours: the SELECT from ``table``.
        theirs: the SELECT from ``other``.
        concerned: see :func:`sql_check`.
    """
    shown = [f"coalesce(ours.{name}, theirs.{name}) as {name}" for name in key]
    shown += [f"ours.{name}, theirs.{name} as other_{name}" for name in measures]
    per = f" for each {', '.join(key)}" if key else ""
    sums = ", ".join(f"sum(ours.{name}) as {name}" for name in measures if not name.endswith("_date"))
    same_key = " and ".join(f"ours.{name} = theirs.{name}" for name in key)
    pairs = f"""
        from ({ours}) as ours
        {f"full join ({theirs}) as theirs on {same_key}" if key else f"cross join ({theirs}) as theirs"}
    """
    differs = f"""
        ({", ".join(f"ours.{name}" for name in measures)})
        is distinct from ({", ".join(f"theirs.{name}" for name in measures)})
    """
    return sql_check(
        f"agrees_with_{other.split('.')[1]}",
        table,
        f"Agrees with {other}{per} on {', '.join(measures)}.",
        broken=f"select {', '.join(shown)} {pairs} where {differs}",
        tested=f"""
            select
                count({f"ours.{key[0]}" if key else "*"}) as rows_tested,
                count(*) filter (where {differs}) as suspects,
                {sums}
            {pairs}
        """,
        reads=(other,),
        concerned=concerned,
    )


def _sums(*measures: str) -> str:
    return ", ".join(f"coalesce(sum({name}), 0) as {name}" for name in measures)


def _aggregates_agree() -> list[TableCheck]:
    money = ("discount", "revenue", "cost", "profit")
    all_measures = ("orders", "lines", "units", *money)
    added = ("lines", "units", *money)
    in_months, bought = "where $in_months", "where $bought"
    of_days = {"on_days": f"sale_date in ({SALE_DAYS})"}
    of_months = {
        "in_months": f"month_start in ({SALE_MONTHS})",
        "in_days_of_months": f"date_trunc('month', sale_date)::date in ({SALE_MONTHS})",
        "on_days_of_months": f"""
            sale_date in (select calendar_date from warehouse.dim_date where month_start in ({SALE_MONTHS}))
        """,
    }
    of_customers = {"bought": f"customer_id in ({CUSTOMERS_WHO_BOUGHT})"}
    days_as_months = f"""
        select date_trunc('month', sale_date)::date as month_start, {_sums("orders", "units", *money)}
        from {DAILY}
        where $in_days_of_months
        group by 1
    """
    of_customer = ("first_order_date", "last_order_date", "orders", "units", "revenue", "cost", "profit")
    of_product = ("first_sale_date", "last_sale_date", "orders", "units", *money)
    return [
        agrees(
            DAILY,
            "warehouse.fact_sales",
            key=("sale_date",),
            measures=all_measures,
            ours=f"select * from {DAILY} where $on_days",
            theirs="""
                select
                    sale_date,
                    count(distinct transaction_id) as orders,
                    count(*) as lines,
                    sum(quantity) as units,
                    sum(discount_amount) as discount,
                    sum(revenue) as revenue,
                    sum(cost) as cost,
                    sum(profit) as profit
                from warehouse.fact_sales
                where $on_days
                group by sale_date
            """,
            concerned=of_days,
        ),
        agrees(
            "warehouse.mart_daily_breakdown",
            DAILY,
            key=("sale_date", "breakdown"),
            measures=added,
            ours=f"""
                select sale_date, breakdown, {_sums(*added)}
                from warehouse.mart_daily_breakdown
                where $on_days
                group by sale_date, breakdown
            """,
            theirs=f"""
                select days.*, breakdowns.breakdown
                from {DAILY} as days
                cross join (
                    values ('category'), ('payment_method'), ('segment'), ('state'), ('discount_band')
                ) as breakdowns (breakdown)
                where $on_days
            """,
            concerned=of_days,
        ),
        agrees(
            "warehouse.mart_product_daily",
            DAILY,
            key=("sale_date",),
            measures=("units", *money),
            ours=f"""
                select sale_date, {_sums("units", *money)}
                from warehouse.mart_product_daily
                where $on_days
                group by sale_date
            """,
            theirs=f"select * from {DAILY} where $on_days",
            concerned=of_days,
        ),
        agrees(
            "warehouse.mart_product_monthly",
            "warehouse.mart_product_daily",
            key=("month_start", "product_id", "product_key"),
            measures=("orders", "units", *money),
            ours=f"select * from warehouse.mart_product_monthly {in_months}",
            theirs=f"""
                select
                    date_trunc('month', sale_date)::date as month_start,
                    product_id,
                    product_key,
                    {_sums("orders", "units", *money)}
                from warehouse.mart_product_daily
                where $on_days_of_months
                group by 1, 2, 3
            """,
            concerned=of_months,
        ),
        agrees(
            "warehouse.mart_customer_monthly",
            DAILY,
            key=("month_start",),
            measures=("orders", "units", "revenue", "cost", "profit"),
            ours=f"""
                select month_start, {_sums("orders", "units", "revenue", "cost", "profit")}
                from warehouse.mart_customer_monthly
                {in_months}
                group by month_start
            """,
            theirs=days_as_months,
            concerned=of_months,
        ),
        agrees(
            "warehouse.agg_product_performance",
            "warehouse.mart_product_monthly",
            key=("product_id",),
            measures=of_product,
            ours="select * from warehouse.agg_product_performance",
            theirs=f"""
                select
                    product_id,
                    min(first_sale_date) as first_sale_date,
                    max(last_sale_date) as last_sale_date,
                    {_sums("orders", "units", *money)}
                from warehouse.mart_product_monthly
                group by product_id
            """,
        ),
        agrees(
            "warehouse.agg_customer_metrics",
            "warehouse.mart_customer_monthly",
            key=("customer_id",),
            measures=of_customer,
            ours=f"select * from warehouse.agg_customer_metrics {bought}",
            theirs=f"""
                select
                    customer_id,
                    min(first_order_date) as first_order_date,
                    max(last_order_date) as last_order_date,
                    {_sums("orders", "units", "revenue", "cost", "profit")}
                from warehouse.mart_customer_monthly
                {bought}
                group by customer_id
            """,
            concerned=of_customers,
        ),
    ]


def _returns_agree() -> list[TableCheck]:
    sums = ("returned_units", "returns")
    facts = "sum(quantity) as returned_units, sum(refund_amount) as returns from warehouse.fact_returns"
    return [
        agrees(
            DAILY,
            "warehouse.fact_returns",
            key=("sale_date",),
            measures=sums,
            ours=f"select * from {DAILY} where (returned_units <> 0 or returns <> 0) and $on_days",
            theirs=f"""
                select sale_date, {facts}
                where $on_days
                group by sale_date
                having sum(quantity) <> 0 or sum(refund_amount) <> 0
            """,
            concerned={"on_days": f"sale_date in ({DAYS_OF_RETURNED_SALES})"},
        ),
        agrees(
            "warehouse.agg_daily_returns",
            "warehouse.fact_returns",
            key=("return_date",),
            measures=("return_count", *sums),
            ours="select * from warehouse.agg_daily_returns where $on_days",
            theirs=f"select return_date, count(*) as return_count, {facts} where $on_days group by return_date",
            concerned={"on_days": f"return_date in ({RETURN_DAYS})"},
        ),
        agrees(
            "warehouse.mart_product_returns",
            "warehouse.fact_returns",
            key=("month_start", "product_id", "product_key"),
            measures=("return_count", *sums),
            ours="select * from warehouse.mart_product_returns where $in_months",
            theirs=f"""
                select
                    date_trunc('month', sale_date)::date as month_start,
                    product_id,
                    product_key,
                    count(*) as return_count,
                    {facts}
                where $on_days_of_months
                group by 1, 2, 3
            """,
            concerned={
                "in_months": f"month_start in ({MONTHS_OF_RETURNED_SALES})",
                "on_days_of_months": f"""
                    sale_date in (
                        select calendar_date from warehouse.dim_date where month_start in ({MONTHS_OF_RETURNED_SALES})
                    )
                """,
            },
        ),
    ]


# Extracts whose rows sum to all sales, and their additive measures. An order has one customer and one payment method,
# so orders are additive over those, but not over categories or discount bands.
WHOLE: Mapping[str, tuple[str, ...]] = {
    "category_sales": ("units", "revenue", "cost", "profit", "returned_units", "returns"),
    "returns_by_product": ("returned_units", "returns"),
    "customer_segments": ("orders", "revenue", "profit"),
    "payment_methods": ("orders", "revenue"),
    "geography": ("orders", "units", "revenue", "profit"),
    "customer_lifetime_value": ("orders", "revenue"),
    "product_profitability": ("units", "revenue", "cost", "profit"),
    "discount_impact": ("lines", "units", "discount", "revenue", "profit"),
}


def _extracts_agree() -> list[TableCheck]:
    wholes = [
        agrees(
            f"analytics.{name}",
            DAILY,
            key=(),
            measures=measures,
            ours=f"select {_sums(*measures)} from analytics.{name}",
            theirs=f"select {_sums(*measures)} from {DAILY}",
        )
        for name, measures in WHOLE.items()
    ]
    of_day = ("orders", "customers", "units", "revenue", "profit", "returns")
    of_month = ("orders", "units", "revenue", "cost", "profit", "returned_units", "returns")
    of_product = ("sales_rank", "orders", "units", "revenue", "profit")
    return [
        *wholes,
        agrees(
            "analytics.daily_sales",
            DAILY,
            key=("sale_date",),
            measures=of_day,
            ours="select * from analytics.daily_sales",
            theirs=f"select * from {DAILY}",
        ),
        agrees(
            "analytics.monthly_sales",
            DAILY,
            key=("month_start",),
            measures=of_month,
            ours="select * from analytics.monthly_sales",
            theirs=f"""
                select date_trunc('month', sale_date)::date as month_start, {_sums(*of_month)}
                from {DAILY}
                group by 1
            """,
        ),
        agrees(
            "analytics.top_products",
            "warehouse.agg_product_performance",
            key=("product_id",),
            measures=of_product,
            ours="select * from analytics.top_products",
            theirs="""
                select *, row_number() over (order by revenue desc, product_id) as sales_rank
                from warehouse.agg_product_performance
                order by sales_rank
                limit 100
            """,
        ),
    ]
