"""Customers over time: intervals between orders, cohorts and RFM groups agree with the purchases of each customer."""

from __future__ import annotations

from ecommerce_platform.checks.outcome import TableCheck
from ecommerce_platform.checks.reconciliation import CUSTOMERS, agrees


def customers_checks() -> list[TableCheck]:
    """All checks of tables about customers over time.

    A customer's intervals add up to the days from the first order to the last, and there is one fewer than orders.
    """
    return [
        agrees(
            "warehouse.mart_daily_repeats",
            CUSTOMERS,
            key=(),
            measures=("orders", "days"),
            ours="""
                select
                    coalesce(sum(orders), 0) as orders,
                    coalesce(sum(orders::bigint * interval_days), 0) as days
                from warehouse.mart_daily_repeats
            """,
            theirs=f"""
                select
                    coalesce(sum(orders - 1), 0) as orders,
                    coalesce(sum(last_order_date - first_order_date), 0) as days
                from {CUSTOMERS}
            """,
        ),
        agrees(
            "analytics.rfm_segments",
            CUSTOMERS,
            key=(),
            measures=("customers", "orders", "revenue"),
            ours="""
                select
                    coalesce(sum(customers), 0) as customers,
                    coalesce(sum(orders), 0) as orders,
                    coalesce(sum(revenue), 0) as revenue
                from analytics.rfm_segments
            """,
            theirs=PURCHASES,
        ),
        agrees(
            "analytics.cohort_curves",
            CUSTOMERS,
            key=(),
            measures=("customers", "orders", "revenue"),
            ours="""
                select
                    coalesce(sum(customers) filter (where months_since = 0), 0) as customers,
                    coalesce(sum(orders), 0) as orders,
                    coalesce(sum(revenue), 0) as revenue
                from analytics.cohort_curves
            """,
            theirs=PURCHASES,
        ),
        agrees(
            "analytics.repeat_purchases",
            CUSTOMERS,
            key=(),
            measures=("orders", "customers"),
            ours="""
                select
                    coalesce(sum(orders), 0) as orders,
                    coalesce(max(customers), 0) as customers
                from analytics.repeat_purchases
            """,
            theirs=f"select coalesce(sum(orders - 1), 0) as orders, count(*) as customers from {CUSTOMERS}",
        ),
    ]


PURCHASES = f"""
    select count(*) as customers, coalesce(sum(orders), 0) as orders, coalesce(sum(revenue), 0) as revenue
    from {CUSTOMERS}
"""
