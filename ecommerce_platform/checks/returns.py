"""Compares returns with production and with their sales: every return is in the fact once, beside its sale."""

from __future__ import annotations

from ecommerce_platform.checks.outcome import IN_WINDOW, TableCheck, sql_check
from ecommerce_platform.checks.rates import rate_check
from ecommerce_platform.checks.reconciliation import DAILY_RETURNS, MONTH, agrees, days_of

FACT = "warehouse.fact_returns"

KEYS = ("sale_date", "customer_id", "customer_key", "product_id", "product_key", "payment_key")
"""The columns that a return takes from its sale."""


def returns_checks() -> list[TableCheck]:
    """All checks of returns, beside those of every table and every feed."""
    return [
        returns_agree_with_production(),
        returns_have_the_keys_of_their_sales(),
        returns_fit_their_sales(),
        *_sums_agree(),
    ]


def returns_agree_with_production() -> TableCheck:
    """The check that the fact has every return of production once, with its amounts."""
    pairs = f"""
        from (
            select transaction_id, return_id, item_id, returned_on as return_date, quantity, refund_amount
            from production.returns
            where {IN_WINDOW}
        ) as returns
        full join (
            select transaction_id, return_id, item_id, return_date, quantity, refund_amount
            from warehouse.fact_returns
            where {IN_WINDOW}
        ) as facts
            on returns.transaction_id = facts.transaction_id and returns.return_id = facts.return_id
    """
    return sql_check(
        "agrees_with_production",
        "warehouse.fact_returns",
        "Each kept return is exactly one return of the fact with the same order line, day, quantity and refund, and"
        " there are no others.",
        broken=f"""
            select
                coalesce(returns.transaction_id, facts.transaction_id) as transaction_id,
                coalesce(returns.return_id, facts.return_id) as return_id,
                case
                    when facts.return_id is null then 'missing from fact_returns'
                    when returns.return_id is null then 'not in production'
                    else 'different'
                end as fault,
                returns.refund_amount as production_refund,
                facts.refund_amount as fact_refund
            {pairs}
            where returns is distinct from facts
        """,
        tested=f"""
            select
                count(*) as rows_tested,
                count(*) filter (where returns is distinct from facts) as suspects,
                sum(facts.refund_amount) as returns
            {pairs}
        """,
        reads=("production.returns",),
    )


def returns_have_the_keys_of_their_sales() -> TableCheck:
    """The check that each return has the day, the versions, and the payment method of its sale."""
    pairs = f"""
        from (select * from warehouse.fact_returns where {IN_WINDOW}) as facts
        left join warehouse.fact_sales as sales
            on facts.transaction_id = sales.transaction_id and facts.item_id = sales.item_id
    """
    ours, theirs = (", ".join(f"{table}.{name}" for name in KEYS) for table in ("facts", "sales"))
    differs = f"sales.item_id is null or ({ours}) is distinct from ({theirs})"
    return sql_check(
        "keys_are_those_of_the_sale",
        "warehouse.fact_returns",
        f"Each return has the {', '.join(KEYS)} of its sale.",
        broken=f"select facts.transaction_id, facts.return_id, facts.item_id, {ours} {pairs} where {differs}",
        tested=f"select count(*) as rows_tested, count(*) filter (where {differs}) as suspects {pairs}",
        reads=("warehouse.fact_sales",),
    )


def returns_fit_their_sales() -> TableCheck:
    """The warning that more was returned or refunded than was sold, or before it was sold.

    Such returns are kept: the shop has paid the refund, and an order line may be corrected on a later day.
    """
    touched = f"select transaction_id from production.returns where {IN_WINDOW}"
    check = sql_check(
        "returns_fit_their_sales",
        "production.returns",
        "No more of an order line is returned and refunded than was sold, and not before it was sold.",
        broken="""
            select
                lines.transaction_id,
                lines.item_id,
                lines.quantity as sold,
                sum(returns.quantity) as returned,
                lines.line_total,
                sum(returns.refund_amount) as refunded,
                min(orders.transaction_date) as sold_on,
                min(returns.returned_on) as returned_on
            from production.returns as returns
            inner join production.transaction_items as lines
                on returns.transaction_id = lines.transaction_id and returns.item_id = lines.item_id
            inner join production.transactions as orders on returns.transaction_id = orders.transaction_id
            where $touched
            group by lines.transaction_id, lines.item_id
            having
                sum(returns.quantity) > lines.quantity
                or sum(returns.refund_amount) > lines.line_total
                or min(returns.returned_on) < min(orders.transaction_date)
        """,
        tested="""
            select count(*) as rows_tested
            from (
                select distinct returns.transaction_id, returns.item_id
                from production.returns as returns
                where $touched
            ) as lines
        """,
        concerned={"touched": f"returns.transaction_id in ({touched})"},
        reads=("production.transaction_items", "production.transactions"),
    )
    return rate_check(check, "returned order lines do not fit what was sold")


def _sums_agree() -> list[TableCheck]:
    sums = ("returned_units", "returns")
    facts = "sum(quantity) as returned_units, sum(refund_amount) as returns from warehouse.fact_returns"
    return [
        agrees(
            DAILY_RETURNS,
            "warehouse.fact_returns",
            key=("return_date", "sale_date"),
            measures=("return_count", *sums),
            ours=f"select * from {DAILY_RETURNS} where $on_days",
            theirs=f"""
                select return_date, sale_date, count(*) as return_count, {facts}
                where $on_days
                group by return_date, sale_date
            """,
            concerned={"on_days": f"return_date in ({days_of(FACT, 'return_date')})"},
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
                "in_months": f"month_start in ({days_of(FACT, MONTH)})",
                "on_days_of_months": f"""
                    sale_date in (
                        select calendar_date from warehouse.dim_date where month_start in ({days_of(FACT, MONTH)})
                    )
                """,
            },
        ),
        agrees(
            "analytics.daily_sales",
            DAILY_RETURNS,
            key=("sale_date",),
            measures=("returns",),
            ours="select sale_date, returns from analytics.daily_sales where returns <> 0",
            theirs=f"""
                select sale_date, sum(returns) as returns
                from {DAILY_RETURNS}
                group by sale_date
                having sum(returns) <> 0
            """,
        ),
        agrees(
            "analytics.monthly_sales",
            DAILY_RETURNS,
            key=("month_start",),
            measures=sums,
            ours="select * from analytics.monthly_sales where returned_units <> 0 or returns <> 0",
            theirs=f"""
                select
                    date_trunc('month', sale_date)::date as month_start,
                    sum(returned_units) as returned_units,
                    sum(returns) as returns
                from {DAILY_RETURNS}
                group by 1
                having sum(returned_units) <> 0 or sum(returns) <> 0
            """,
        ),
    ]
