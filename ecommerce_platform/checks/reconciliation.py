"""Reconciliation: every row is accounted for, and all layers agree to the cent.

A daily run compares adjacent layers for the rows that its days affect: files with staging, staging with production,
production with the fact, the fact with the aggregates, the aggregates with each other and with the extracts.
Each comparison is cheap, and together they cover the path from the files to the dashboards. Without a window, whole
tables are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ecommerce_platform.checks.accounting import rows_are_accounted_for
from ecommerce_platform.checks.completeness import file_is_complete
from ecommerce_platform.checks.outcome import IN_WINDOW, TableCheck, sql_check
from ecommerce_platform.checks.sales import fact_agrees_with_production, versions_are_valid_on_sale_date
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.schemas.domains import GUEST
from ecommerce_platform.settings import load_settings
from ecommerce_platform.storage import Location

DAILY = "warehouse.agg_daily_sales"
DAILY_RETURNS = "warehouse.agg_daily_returns"
BREAKDOWN = "warehouse.mart_daily_breakdown"
CUSTOMERS = "warehouse.agg_customer_metrics"

MONTH = "date_trunc('month', sale_date)::date"


def days_of(fact: str, column: str = "sale_date") -> str:
    """The SELECT of the days in a column of a fact, of the rows that come from the run's files."""
    return f"select distinct {column} from {fact} where {IN_WINDOW}"


OF_MONTHS = {
    "in_months": "month_start = any(%(months)s)",
    "in_days_of_months": f"{MONTH} = any(%(months)s)",
    "on_days_of_months": """
        sale_date in (select calendar_date from warehouse.dim_date where month_start = any(%(months)s))
    """,
}
"""Conditions that a month, or the month of a day, has a sale among a fact's rows from the run's files."""


SALE_DAYS = {"days": days_of("warehouse.fact_sales")}
SALE_MONTHS = {"months": days_of("warehouse.fact_sales", MONTH)}
CUSTOMERS_WHO_BOUGHT = f"select customer_id from warehouse.fact_sales where {IN_WINDOW}"

OF_REVENUE = ("revenue", "costed_revenue", "cost", "profit")
MONEY = ("discount", *OF_REVENUE)
UNITS_AND_MONEY = ("units", *MONEY)
LINES_AND_MONEY = ("lines", *UNITS_AND_MONEY)
TOTALS = ("orders", "units", *OF_REVENUE)

OF_DAYS = {"on_days": "sale_date = any(%(days)s)"}
OF_CUSTOMERS = {"bought": f"customer_id in ({CUSTOMERS_WHO_BOUGHT})"}


def raw_folder_of_settings() -> Location:
    """The raw folder of the settings."""
    return load_settings().raw


def reconciliation_checks(raw_folder: Callable[[], Location] = raw_folder_of_settings) -> list[TableCheck]:
    """All reconciliation checks. ``raw_folder`` returns the folder of the files FEED/YYYY-MM-DD.csv."""
    return [
        *(file_is_complete(feed, raw_folder) for feed in FEEDS),
        rows_are_accounted_for(),
        fact_agrees_with_production(),
        versions_are_valid_on_sale_date(),
        *_days_agree(),
        *_products_agree(),
        *_customers_agree(),
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
    keys: Mapping[str, str] | None = None,
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
        keys: see :func:`sql_check`.
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
        keys=keys,
    )


def sums_of(*measures: str) -> str:
    """The sum of each measure: 0 without rows, but null for cost and profit where no cost is known."""
    return ", ".join(
        f"sum({name}) as {name}" if name in ("cost", "profit") else f"coalesce(sum({name}), 0) as {name}"
        for name in measures
    )


def _days_agree() -> list[TableCheck]:
    """The sums of each day, and their breakdowns."""
    return [
        agrees(
            DAILY,
            "warehouse.fact_sales",
            key=("sale_date",),
            measures=("orders", "guest_orders", *LINES_AND_MONEY),
            ours=f"select * from {DAILY} where $on_days",
            theirs="""
                select
                    sale_date,
                    count(distinct transaction_id) as orders,
                    count(distinct transaction_id) filter (where customer_id is null) as guest_orders,
                    count(*) as lines,
                    sum(quantity) as units,
                    sum(discount_amount) as discount,
                    sum(revenue) as revenue,
                    coalesce(sum(revenue) filter (where cost is not null), 0) as costed_revenue,
                    sum(cost) as cost,
                    sum(profit) as profit
                from warehouse.fact_sales
                where $on_days
                group by sale_date
            """,
            concerned=OF_DAYS,
            keys=SALE_DAYS,
        ),
        agrees(
            BREAKDOWN,
            DAILY,
            key=("sale_date", "breakdown"),
            measures=LINES_AND_MONEY,
            ours=f"""
                select sale_date, breakdown, {sums_of(*LINES_AND_MONEY)}
                from {BREAKDOWN}
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
            concerned=OF_DAYS,
            keys=SALE_DAYS,
        ),
    ]


def _products_agree() -> list[TableCheck]:
    """The stock of each product, and its sums by day, by month, and over all time."""
    touched = f"product_id in (select product_id from production.product_versions where {IN_WINDOW})"
    return [
        agrees(
            "warehouse.dim_product",
            "production.products",
            key=("product_id",),
            measures=("stock_quantity", "stock_date"),
            ours="select * from warehouse.dim_product where is_current and product_key <> 0 and $touched",
            theirs="""
                select product_id, stock_quantity, valid_from as stock_date
                from production.products
                where $touched
            """,
            concerned={"touched": touched},
        ),
        agrees(
            "warehouse.mart_product_daily",
            DAILY,
            key=("sale_date",),
            measures=UNITS_AND_MONEY,
            ours=f"""
                select sale_date, {sums_of(*UNITS_AND_MONEY)}
                from warehouse.mart_product_daily
                where $on_days
                group by sale_date
            """,
            theirs=f"select * from {DAILY} where $on_days",
            concerned=OF_DAYS,
            keys=SALE_DAYS,
        ),
        agrees(
            "warehouse.mart_product_monthly",
            "warehouse.mart_product_daily",
            key=("month_start", "product_id", "product_key"),
            measures=("orders", *UNITS_AND_MONEY),
            ours="select * from warehouse.mart_product_monthly where $in_months",
            theirs=f"""
                select
                    date_trunc('month', sale_date)::date as month_start,
                    product_id,
                    product_key,
                    {sums_of("orders", *UNITS_AND_MONEY)}
                from warehouse.mart_product_daily
                where $on_days_of_months
                group by 1, 2, 3
            """,
            concerned=OF_MONTHS,
            keys=SALE_MONTHS,
        ),
        agrees(
            "warehouse.mart_product_pairs",
            "warehouse.fact_sales",
            key=("sale_date",),
            measures=("pairs",),
            ours="""
                select sale_date, sum(orders) as pairs
                from warehouse.mart_product_pairs
                where $on_days
                group by sale_date
            """,
            # An order of n products has n * (n - 1) / 2 pairs.
            theirs="""
                select sale_date, sum(products * (products - 1) / 2) as pairs
                from (
                    select sale_date, count(distinct product_id) as products
                    from warehouse.fact_sales
                    where $on_days and sale_date > (select max(sale_date) - 90 from warehouse.fact_sales)
                    group by sale_date, transaction_id
                    having count(*) <= 50
                ) as orders
                where products > 1
                group by sale_date
            """,
            concerned=OF_DAYS,
            keys=SALE_DAYS,
        ),
        agrees(
            "warehouse.agg_product_performance",
            "warehouse.mart_product_monthly",
            key=("product_id",),
            measures=("first_sale_date", "last_sale_date", "orders", *UNITS_AND_MONEY),
            ours="select * from warehouse.agg_product_performance",
            theirs=f"""
                select
                    product_id,
                    min(first_sale_date) as first_sale_date,
                    max(last_sale_date) as last_sale_date,
                    {sums_of("orders", *UNITS_AND_MONEY)}
                from warehouse.mart_product_monthly
                group by product_id
            """,
        ),
    ]


def _customers_agree() -> list[TableCheck]:
    """The sums of each customer by month and over all time. The segments of a day have those of all but guests."""
    return [
        agrees(
            "warehouse.mart_customer_monthly",
            BREAKDOWN,
            key=("month_start",),
            measures=TOTALS,
            ours=f"""
                select month_start, {sums_of(*TOTALS)}
                from warehouse.mart_customer_monthly
                where $in_months
                group by month_start
            """,
            theirs=f"""
                select date_trunc('month', sale_date)::date as month_start, {sums_of(*TOTALS)}
                from {BREAKDOWN}
                where breakdown = 'segment' and member <> '{GUEST}' and $in_days_of_months
                group by 1
            """,
            concerned=OF_MONTHS,
            keys=SALE_MONTHS,
        ),
        agrees(
            CUSTOMERS,
            "warehouse.mart_customer_monthly",
            key=("customer_id",),
            measures=("first_order_date", "last_order_date", *TOTALS),
            ours=f"select * from {CUSTOMERS} where $bought",
            theirs=f"""
                select
                    customer_id,
                    min(first_order_date) as first_order_date,
                    max(last_order_date) as last_order_date,
                    {sums_of(*TOTALS)}
                from warehouse.mart_customer_monthly
                where $bought
                group by customer_id
            """,
            concerned=OF_CUSTOMERS,
        ),
    ]


# Extracts whose rows sum to all sales, or to all sales to customers, and their additive measures. An order has one
# customer and one payment method, so orders are additive over those, but not over categories or discount bands.
WHOLE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("category_sales", DAILY): ("units", "revenue", "costed_revenue", "cost", "profit"),
    ("category_sales", DAILY_RETURNS): ("returned_units", "returns"),
    ("returns_by_product", DAILY_RETURNS): ("returned_units", "returns"),
    ("customer_segments", CUSTOMERS): ("orders", "revenue", "costed_revenue", "profit"),
    ("payment_methods", DAILY): ("orders", "revenue"),
    ("geography", DAILY): ("orders", "units", "revenue", "costed_revenue", "profit"),
    ("customer_lifetime_value", CUSTOMERS): ("orders", "revenue"),
    ("product_profitability", DAILY): ("units", "revenue", "costed_revenue", "cost", "profit"),
    ("discount_impact", DAILY): ("lines", "units", "discount", "revenue", "costed_revenue", "profit"),
}


def _extracts_agree() -> list[TableCheck]:
    wholes = [
        agrees(
            f"analytics.{name}",
            whole,
            key=(),
            measures=measures,
            ours=f"select {sums_of(*measures)} from analytics.{name}",
            theirs=f"select {sums_of(*measures)} from {whole}",
        )
        for (name, whole), measures in WHOLE.items()
    ]
    of_day = ("orders", "guest_orders", "customers", "units", "revenue", "costed_revenue", "profit")
    of_month = ("guest_orders", *TOTALS)
    of_product = ("sales_rank", "orders", "units", "revenue", "costed_revenue", "profit")
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
                select date_trunc('month', sale_date)::date as month_start, {sums_of(*of_month)}
                from {DAILY}
                group by 1
            """,
        ),
        agrees(
            "analytics.top_products",
            "warehouse.agg_product_performance",
            key=("product_code",),
            measures=of_product,
            ours="select * from analytics.top_products",
            theirs="""
                select
                    products.product_code,
                    sales.*,
                    row_number() over (order by sales.revenue desc, sales.product_id) as sales_rank
                from warehouse.agg_product_performance as sales
                inner join warehouse.dim_product as products
                    on sales.product_id = products.product_id and products.is_current
                order by sales_rank
                limit 100
            """,
        ),
    ]
