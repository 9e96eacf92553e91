"""Reconciliation: every row is accounted for, and all layers agree to the cent.

A daily run compares neighbours, on what its days touch: file with staging, staging with production,
production with the fact, the fact with the aggregates, the aggregates with each other and with the extracts.
Each link is cheap, and together they are the chain from the files to the dashboards. Without a window each
link is compared as a whole.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from ecommerce_platform.checks.accounting import rows_are_accounted_for
from ecommerce_platform.checks.checksum import checksum
from ecommerce_platform.checks.outcome import (
    IS_LATEST_LOAD,
    SAMPLES,
    CheckOutcome,
    TableCheck,
    as_sql,
    show,
    sql_check,
)
from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.feeds.reader import FeedFileError, feed_file_name, lines_of_feed_file, read_feed_file
from ecommerce_platform.io_managers.connection import ClientConnection
from ecommerce_platform.io_managers.modes import Window
from ecommerce_platform.settings import load_settings

# pyarrow makes its functions when it is imported: a type checker does not see them.
pc: Any = pyarrow.compute

DAILY = "warehouse.agg_daily_sales"

SALE_DAYS = """
    select distinct sale_date from warehouse.fact_sales
    where partition_date >= %(start)s and partition_date < %(end)s
"""
SALE_MONTHS = """
    select distinct date_trunc('month', sale_date)::date from warehouse.fact_sales
    where partition_date >= %(start)s and partition_date < %(end)s
"""
CUSTOMERS_WHO_BOUGHT = """
    select customer_id from warehouse.fact_sales
    where partition_date >= %(start)s and partition_date < %(end)s
"""


def raw_folder_of_settings() -> Path:
    """The raw folder that the settings name."""
    return load_settings().raw


def reconciliation_checks(raw_folder: Callable[[], Path] = raw_folder_of_settings) -> list[TableCheck]:
    """All of them. ``raw_folder`` says where the files lie, FEED/YYYY-MM-DD.csv below it."""
    return [
        *(_file_is_complete(feed, raw_folder) for feed in FEEDS),
        rows_are_accounted_for(),
        _fact_agrees_with_production(),
        _versions_in_force(),
        *_aggregates_agree(),
        *_extracts_agree(),
    ]


# Promise 2: rows in the file = kept + duplicates + rejected.


def _file_is_complete(feed: str, raw_folder: Callable[[], Path]) -> TableCheck:
    table = f"staging.{feed}"
    digest_of_rows = f"md5(string_agg({_text_of_a_row(feed)}, {LAST_OF_ROW} order by source_row))"

    def evaluate(connection: ClientConnection, window: Window) -> CheckOutcome:
        # A run over a long history has read all its files a moment ago: it counts their rows, and verify reads them.
        is_deep = window.is_unbounded or (window.end - window.start).days <= DAYS_READ_AGAIN
        staged: dict[dt.date, tuple[int, str | None]] = {
            day: (rows, digest)
            for day, rows, digest in connection.execute(
                as_sql(f"""
                select partition_date, count(*), {digest_of_rows if is_deep else "null"}
                from {table}
                where partition_date >= %s and partition_date < %s and {IS_LATEST_LOAD}
                group by partition_date
                """),
                (window.start, window.end),
            )
        }
        # A day without rows is not in staging: of all days, those between its first and its last are looked at.
        if window.is_unbounded and staged:
            window = Window(min(staged), max(staged) + dt.timedelta(days=1))
        wrong: list[dict[str, str | None]] = []
        gone = compared = rows_in_files = 0
        for day in window.days:
            path = feed_file_name(raw_folder(), feed, day)
            rows, digest = staged.get(day, (0, EMPTY))
            if not path.exists():
                gone += rows > 0
                continue
            compared += 1
            fault = None
            try:
                if not is_deep and lines_of_feed_file(path, feed, day) == rows:
                    rows_in_files += rows
                    continue
                file, content = read_feed_file(path, feed, day)
            except FeedFileError as error:
                fault = error.problem
            else:
                rows_in_files += file.rows
                if file.rows != rows:
                    fault = f"the file has {file.rows:,} rows, staging {rows:,}"
                elif is_deep and _digest(feed, content) != digest:
                    fault = "the file has other values than staging: it was changed after its load, or staging was"
            if fault is not None:
                wrong.append({"partition_date": str(day), "file": path.name, "fault": fault})
        note = f"; {gone:,} days not compared, their files are gone" if gone else ""
        text = f"{compared:,} files compared with {table}{note}"
        if wrong:
            text += f"; {len(wrong):,} differ: materialize their days. First: {show(wrong)}"
        metadata = {"rows_in_files": rows_in_files, "files_gone": gone}
        return CheckOutcome(
            not wrong, sum(rows for rows, _ in staged.values()), len(wrong), text, wrong[:SAMPLES], metadata
        )

    return TableCheck(
        "file_is_complete",
        table,
        "Staging holds each day's file: as many rows, and in every field of the feed the same text. A run over more"
        f" than {DAYS_READ_AGAIN} days compares the header and the number of lines only.",
        evaluate,
    )


# The text of a whole day is put together the same way here and on the server, so that one MD5 a day is compared. The
# marks cannot come about by chance in a row: no field holds them in any export that we have seen, and a row that did
# would still be compared, only less strictly. Columns that the feed does not know are JSON in staging, and left out.
LAST_OF_FIELD, LAST_OF_ROW = "chr(31)", "chr(30)"
DAYS_READ_AGAIN = 31
EMPTY = hashlib.md5(b"", usedforsecurity=False).hexdigest()


def _text_of_a_row(feed: str) -> str:
    fields = [f"coalesce({name}, '')" for name in (*FEEDS[feed], "malformed")]
    return f"concat_ws({LAST_OF_FIELD}, {', '.join(fields)})"


def _digest(feed: str, content: pa.Table) -> str:
    """The MD5 of a file's rows, as the statement of the check computes it."""
    digest = hashlib.md5(usedforsecurity=False)
    for number, batch in enumerate(content.to_batches()):
        columns = [pc.fill_null(batch.column(name), "") for name in (*FEEDS[feed], "malformed")]
        rows = pc.binary_join_element_wise(*columns, "\x1f")
        text = pc.binary_join(pa.ListArray.from_arrays([0, len(rows)], rows), "\x1e")[0].as_buffer()
        if number:
            digest.update(b"\x1e")
        digest.update(text)
    return digest.hexdigest()


# Promise 5: the numbers agree.


LINE = (
    ("items.transaction_id", "id"),
    ("items.item_id", "id"),
    ("orders.transaction_date", "date"),
    ("orders.customer_id", "id"),
    ("items.product_id", "id"),
    ("orders.payment_method_id", "id"),
    ("items.quantity", "integer"),
    ("items.unit_price", "amount"),
    ("items.discount_amount", "amount"),
    ("items.line_total", "amount"),
)
"""What a sale takes over from its line and order, for :func:`checksum`; ``SALE`` is the same of the sale."""

SALE = (
    ("facts.transaction_id", "id"),
    ("facts.item_id", "id"),
    ("facts.sale_date", "date"),
    ("facts.customer_id", "id"),
    ("facts.product_id", "id"),
    ("facts.payment_key", "id"),
    ("facts.quantity", "integer"),
    ("facts.unit_price", "amount"),
    ("facts.discount_amount", "amount"),
    ("facts.revenue", "numeric"),
)


def _fact_agrees_with_production() -> TableCheck:
    return sql_check(
        "agrees_with_production",
        "warehouse.fact_sales",
        "Each kept order line is one sale, with its day, customer, product, payment, pieces and money; no"
        " other sale is there.",
        broken="""
            with concerned as (
                select transaction_id from production.transaction_items
                where partition_date >= %(start)s and partition_date < %(end)s
                union
                select transaction_id from production.transactions
                where partition_date >= %(start)s and partition_date < %(end)s
            ),

            lines as (
                select
                    items.transaction_id,
                    items.item_id,
                    orders.transaction_date as sale_date,
                    orders.customer_id,
                    items.product_id,
                    orders.payment_method_id as payment_key,
                    items.quantity,
                    items.unit_price,
                    items.discount_amount,
                    items.line_total as revenue
                from production.transaction_items as items
                inner join production.transactions as orders on items.transaction_id = orders.transaction_id
                where
                    greatest(items.partition_date, orders.partition_date) >= %(start)s
                    and greatest(items.partition_date, orders.partition_date) < %(end)s
                    and $concerned
            ),

            sales as (
                select
                    facts.transaction_id,
                    facts.item_id,
                    facts.sale_date,
                    facts.customer_id,
                    facts.product_id,
                    facts.payment_key,
                    facts.quantity,
                    facts.unit_price,
                    facts.discount_amount,
                    facts.revenue
                from warehouse.fact_sales as facts
                where facts.partition_date >= %(start)s and facts.partition_date < %(end)s
            )

            select
                coalesce(lines.transaction_id, sales.transaction_id) as transaction_id,
                coalesce(lines.item_id, sales.item_id) as item_id,
                case
                    when sales.transaction_id is null then 'missing from fact_sales'
                    when lines.transaction_id is null then 'not in production'
                    else 'different'
                end as fault,
                lines.revenue as production_revenue,
                sales.revenue as fact_revenue
            from lines
            full join sales on lines.transaction_id = sales.transaction_id and lines.item_id = sales.item_id
            where lines is distinct from sales
        """,
        # A checksum of each day's rows; a day that differs is looked at row by row.
        tested=f"""
            with concerned as (
                select transaction_id from production.transaction_items
                where partition_date >= %(start)s and partition_date < %(end)s
                union
                select transaction_id from production.transactions
                where partition_date >= %(start)s and partition_date < %(end)s
            ),

            lines as (
                select
                    greatest(items.partition_date, orders.partition_date) as partition_date,
                    count(*) as rows,
                    bit_xor({checksum(LINE)}) as checksum
                from production.transaction_items as items
                inner join production.transactions as orders on items.transaction_id = orders.transaction_id
                where $concerned
                group by greatest(items.partition_date, orders.partition_date)
            ),

            sales as (
                select
                    facts.partition_date,
                    count(*) as rows,
                    sum(facts.revenue) as revenue,
                    bit_xor({checksum(SALE)}) as checksum
                from warehouse.fact_sales as facts
                where facts.partition_date >= %(start)s and facts.partition_date < %(end)s
                group by facts.partition_date
            )

            select
                coalesce(sum(sales.rows), 0) as rows_tested,
                count(*) filter (
                    where (lines.rows, lines.checksum) is distinct from (sales.rows, sales.checksum)
                ) as suspects,
                sum(sales.revenue) as revenue
            from (select * from lines where partition_date >= %(start)s and partition_date < %(end)s) as lines
            full join sales on lines.partition_date = sales.partition_date
        """,
        concerned={"concerned": "items.transaction_id in (select concerned.transaction_id from concerned)"},
    )


def _versions_in_force() -> TableCheck:
    sales = """
            from warehouse.fact_sales as facts
            left join warehouse.dim_customer as customers on facts.customer_key = customers.customer_key
            left join warehouse.dim_product as products on facts.product_key = products.product_key
            where facts.partition_date >= %(start)s and facts.partition_date < %(end)s
    """
    wrong = """
        (
            facts.customer_id = customers.customer_id
            and facts.sale_date >= customers.valid_from and facts.sale_date < customers.valid_to
            and facts.product_id = products.product_id
            and facts.sale_date >= products.valid_from and facts.sale_date < products.valid_to
            and facts.cost = facts.quantity * products.cost
        ) is not true
    """
    return sql_check(
        "versions_in_force",
        "warehouse.fact_sales",
        "Each sale points at the customer and product versions of its day, and costs what it then cost.",
        broken=f"""
            select
                facts.transaction_id,
                facts.item_id,
                facts.sale_date,
                concat_ws(
                    ', ',
                    case
                        when (facts.customer_id = customers.customer_id) is not true
                            then 'version of another customer'
                        when
                            (facts.sale_date >= customers.valid_from and facts.sale_date < customers.valid_to)
                            is not true
                            then 'customer version of another day'
                    end,
                    case
                        when (facts.product_id = products.product_id) is not true
                            then 'version of another product'
                        when
                            (facts.sale_date >= products.valid_from and facts.sale_date < products.valid_to)
                            is not true
                            then 'product version of another day'
                    end,
                    case
                        when (facts.cost = facts.quantity * products.cost) is not true
                            then 'cost is not quantity * cost of the product'
                    end
                ) as fault
            {sales} and {wrong}
        """,
        tested=f"""
            select
                count(*) as rows_tested,
                sum(facts.cost) as cost,
                count(*) filter (where {wrong}) as suspects
            {sales}
        """,
    )


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
    """A check that two SELECTs give the same ``measures`` for each ``key``, or once without one.

    Args:
        table: whose check it is.
        other: the table that it is held against.
        key: columns of both SELECTs that name a row.
        measures: columns of both SELECTs that must be equal.
        ours: what ``table`` says.
        theirs: what ``other`` says.
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
        f"Says the same as {other}{per}: {', '.join(measures)}.",
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


# Extracts whose rows add up to all sales, and the measures that do. An order has one customer and one
# payment, so orders add up over those, but not over categories or discount bands.
WHOLE: Mapping[str, tuple[str, ...]] = {
    "category_sales": ("units", "revenue", "cost", "profit"),
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
    of_day = ("orders", "customers", "units", "revenue", "profit")
    of_month = ("orders", "units", "revenue", "cost", "profit")
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
