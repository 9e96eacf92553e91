"""Warehouse: the star schema and its aggregates.

Longer than other modules: it is one list of contracts, and a layer is a module.
"""

from __future__ import annotations

from pandera.ibis import Check, Column

from ecommerce_platform.schemas.domains import (
    AGE_GROUPS,
    BREAKDOWNS,
    DAY_NAMES,
    DISCOUNT_BANDS,
    GUEST,
    PAYMENT_GROUPS,
    PRICE_RANGES,
    SEGMENTS,
)
from ecommerce_platform.schemas.rules import (
    FIRST_DAY,
    LAST_DAY,
    country,
    not_blank,
    not_negative,
    not_zero,
    optional,
    positive,
    price,
    required,
    rule,
    table_schema,
)

a_day = Check.in_range(FIRST_DAY, LAST_DAY)
state_or_unknown = Check.str_matches(r"^([A-Z0-9]{1,3}|Unknown)$")
sum_of_discounts = Check.ge(0)

cost_and_profit_go_together = rule(
    "cost is null if and only if profit is null", lambda t: t.cost.isnull() == t.profit.isnull()
)
profit_is_of_costed_revenue = (
    rule("profit = costed_revenue - cost", lambda t: t.profit == t.costed_revenue - t.cost),
    rule("costed_revenue is at most revenue", lambda t: t.costed_revenue <= t.revenue),
    cost_and_profit_go_together,
)
"""Cost and profit are those of the lines with a known cost; null without any."""


def is_first_of_month(name: str) -> Check:
    """Return the rule that a column contains only first days of months."""
    return rule(f"{name} is the first day of a month", lambda t: t[name].day() == 1)


def not_before(later: str, earlier: str) -> Check:
    """Return the rule that one day is not before another."""
    return rule(f"{later} is not before {earlier}", lambda t: t[later] >= t[earlier])


def at_least_as_many(many: str, few: str) -> Check:
    """Return the rule that one count is not less than another."""
    return rule(f"at least as many {many} as {few}", lambda t: t[many] >= t[few])


def margin_is_defined() -> Check:
    """Return the rule that the profit margin is as defined in sql/ddl/070_metrics.sql; null without costed revenue."""
    return rule(
        "profit_margin = profit / costed_revenue * 100",
        lambda t: t.profit_margin.identical_to((t.profit / t.costed_revenue.nullif(0) * 100).round(2)),
    )


def average_order_value_is_defined() -> Check:
    """Return the rule that the average order value is as defined in sql/ddl/070_metrics.sql."""
    return rule(
        "average_order_value = revenue / orders",
        lambda t: t.average_order_value.identical_to((t.revenue / t.orders.nullif(0)).round(2)),
    )


def versions(id_column: str) -> tuple[Check, ...]:
    """Return the rules for each version of a slowly changing dimension."""
    key = id_column.replace("_id", "_key")
    open_end = "valid_to is infinity"
    return (
        rule("valid_from < valid_to", lambda t: t.valid_from < t.valid_to),
        rule(f"is_current if and only if {open_end}", lambda t: t.is_current == (t.valid_to > LAST_DAY)),
        rule(
            f"{key} = {id_column} * 65536 + days from 2000-01-01 to valid_from",
            lambda t: t[key] == t[id_column] * 65536 + t.valid_from.delta(FIRST_DAY, unit="day"),
        ),
    )


VERSION: dict[str, Column] = {
    "valid_from": required(a_day),
    "valid_to": required(Check.gt(FIRST_DAY)),
    "is_current": required(),
}

SUMS: dict[str, Column] = {
    "orders": required(positive),
    "units": required(positive),
    "revenue": required(),
    "costed_revenue": required(),
    "cost": optional(),
    "profit": optional(),
}

RETURNS: dict[str, Column] = {"returned_units": required(not_negative), "returns": required(not_negative)}
"""What was returned of some sales, and refunded for them, on whatever day. It may be more than was sold."""

DimDate = table_schema(
    "warehouse.dim_date",
    {
        "calendar_date": required(a_day),
        "year": required(Check.in_range(2000, 2099)),
        "quarter": required(Check.in_range(1, 4)),
        "month": required(Check.in_range(1, 12)),
        "month_name": required(not_blank),
        "month_start": required(a_day),
        "iso_week": required(Check.in_range(1, 53)),
        "day_of_month": required(Check.in_range(1, 31)),
        "day_of_week": required(Check.in_range(1, 7)),
        "day_name": required(Check.isin(DAY_NAMES)),
        "is_weekend": required(),
    },
    key=("calendar_date",),
    rules=(
        rule("is_weekend if and only if day_of_week is 6 or 7", lambda t: t.is_weekend == (t.day_of_week >= 6)),
        rule(
            "year, month, and day_of_month match calendar_date",
            lambda t: (
                (t.year == t.calendar_date.year())
                & (t.month == t.calendar_date.month())
                & (t.day_of_month == t.calendar_date.day())
            ),
        ),
        rule(
            "month_start is the first day of calendar_date's month",
            lambda t: t.month_start == t.calendar_date.truncate("M"),
        ),
        rule("quarter matches month", lambda t: t.quarter == ((t.month + 2) / 3).floor()),
    ),
)

DimCustomer = table_schema(
    "warehouse.dim_customer",
    {
        "customer_key": required(),
        "customer_id": required(),
        "customer_code": required(not_blank),
        "city": required(not_blank),
        "state": required(state_or_unknown),
        "country": required(country),
        "age_group": required(Check.isin(AGE_GROUPS)),
        "segment": required(Check.isin(SEGMENTS)),
        **VERSION,
    },
    key=("customer_key",),
    rules=versions("customer_id"),
)

DimProduct = table_schema(
    "warehouse.dim_product",
    {
        "product_key": required(),
        "product_id": required(),
        "product_code": required(not_blank),
        "product_name": required(not_blank),
        "category": required(not_blank),
        "sub_category": required(),
        "brand": required(not_blank),
        "price": required(price),
        "cost": optional(price),
        "price_range": required(Check.isin(PRICE_RANGES)),
        "stock_quantity": optional(),
        "stock_date": optional(a_day),
        **VERSION,
    },
    key=("product_key",),
    rules=(
        *versions("product_id"),
        rule(
            "stock_date is null if and only if the version is not current or is the unknown member",
            lambda t: t.stock_date.isnull() == (~t.is_current | (t.product_key == 0)),
        ),
        rule(
            "stock_quantity is null without stock_date",
            lambda t: t.stock_quantity.isnull() | t.stock_date.notnull(),
        ),
        rule(
            "price_range matches price: Budget below 25, Mid-range below 100",
            lambda t: t.price_range == (t.price < 25).ifelse("Budget", (t.price < 100).ifelse("Mid-range", "Premium")),
        ),
    ),
)

DimPayment = table_schema(
    "warehouse.dim_payment",
    {
        "payment_key": required(Check.ge(0)),
        "payment_method": required(not_blank),
        "payment_group": required(Check.isin(PAYMENT_GROUPS)),
    },
    key=("payment_key",),
)

FactSales = table_schema(
    "warehouse.fact_sales",
    {
        "transaction_id": required(not_zero),
        "item_id": required(not_zero),
        "sale_date": required(a_day),
        "customer_id": optional(not_zero),
        "customer_key": required(),
        "product_id": required(not_zero),
        "product_key": required(),
        "payment_key": required(not_negative),
        "quantity": required(positive),
        "unit_price": required(price),
        "discount_amount": required(price),
        "revenue": required(price),
        "cost": optional(Check.ge(0)),
        "profit": optional(),
        "partition_date": required(a_day),
    },
    key=("transaction_id", "item_id"),
    rules=(
        rule(
            "revenue = quantity * unit_price - discount_amount",
            lambda t: t.revenue == t.quantity * t.unit_price - t.discount_amount,
        ),
        rule("profit = revenue - cost", lambda t: t.profit == t.revenue - t.cost),
        cost_and_profit_go_together,
        rule("sale_date is not after partition_date", lambda t: t.sale_date <= t.partition_date),
    ),
)

FactReturns = table_schema(
    "warehouse.fact_returns",
    {
        "transaction_id": required(not_zero),
        "return_id": required(not_zero),
        "item_id": required(not_zero),
        "return_date": required(a_day),
        "sale_date": required(a_day),
        "customer_id": optional(not_zero),
        "customer_key": required(),
        "product_id": required(not_zero),
        "product_key": required(),
        "payment_key": required(),
        "quantity": required(not_negative),
        "refund_amount": required(price),
        "reason": required(not_blank),
        "partition_date": required(a_day),
    },
    key=("transaction_id", "return_id"),
    rules=(rule("return_date is not after partition_date", lambda t: t.return_date <= t.partition_date),),
)

AggDailyReturns = table_schema(
    "warehouse.agg_daily_returns",
    {
        "return_date": required(a_day),
        "sale_date": required(a_day),
        "return_count": required(positive),
        "orders": required(positive),
        **RETURNS,
    },
    key=("return_date", "sale_date"),
    rules=(at_least_as_many("return_count", "orders"),),
)

MartProductReturns = table_schema(
    "warehouse.mart_product_returns",
    {
        "month_start": required(a_day),
        "product_id": required(not_zero),
        "product_key": required(),
        "return_count": required(positive),
        **RETURNS,
    },
    key=("month_start", "product_id", "product_key"),
    rules=(is_first_of_month("month_start"),),
)

AggDailySales = table_schema(
    "warehouse.agg_daily_sales",
    {
        "sale_date": required(a_day),
        "guest_orders": required(Check.ge(0)),
        "customers": required(Check.ge(0)),
        "lines": required(positive),
        "discount": required(sum_of_discounts),
        "large_orders": required(Check.ge(0)),
        **SUMS,
    },
    key=("sale_date",),
    rules=(
        at_least_as_many("orders", "large_orders"),
        rule("a large order has more than 50 lines", lambda t: t.lines >= t.orders + 50 * t.large_orders),
        *profit_is_of_costed_revenue,
        rule(
            "at least as many orders as customers and guest_orders",
            lambda t: t.orders >= t.customers + t.guest_orders,
        ),
        rule(
            "customers is 0 if and only if every order is a guest's",
            lambda t: (t.customers == 0) == (t.orders == t.guest_orders),
        ),
        at_least_as_many("lines", "orders"),
        at_least_as_many("units", "lines"),
    ),
)

MartDailyBreakdown = table_schema(
    "warehouse.mart_daily_breakdown",
    {
        "sale_date": required(a_day),
        "breakdown": required(Check.isin(BREAKDOWNS)),
        "member": required(not_blank),
        "lines": required(positive),
        "discount": required(sum_of_discounts),
        **SUMS,
    },
    key=("sale_date", "breakdown", "member"),
    rules=(
        *profit_is_of_costed_revenue,
        at_least_as_many("lines", "orders"),
        at_least_as_many("units", "lines"),
        rule(
            "segments and discount bands are known values",
            lambda t: (
                ~t.breakdown.isin(["segment", "discount_band"])
                | ((t.breakdown == "segment") & t.member.isin([*SEGMENTS, GUEST]))
                | ((t.breakdown == "discount_band") & t.member.isin(DISCOUNT_BANDS))
            ),
        ),
        rule(
            "states have the form COUNTRY-STATE",
            lambda t: (t.breakdown != "state") | t.member.re_search(r"^[A-Z]{2}-([A-Z0-9]{1,3}|Unknown)$"),
        ),
    ),
)

MartProductDaily = table_schema(
    "warehouse.mart_product_daily",
    {
        "sale_date": required(a_day),
        "product_id": required(not_zero),
        "product_key": required(),
        "discount": required(sum_of_discounts),
        **SUMS,
    },
    key=("sale_date", "product_id", "product_key"),
    rules=(*profit_is_of_costed_revenue, at_least_as_many("units", "orders")),
)

MartProductMonthly = table_schema(
    "warehouse.mart_product_monthly",
    {
        "month_start": required(a_day),
        "product_id": required(not_zero),
        "product_key": required(),
        "first_sale_date": required(a_day),
        "last_sale_date": required(a_day),
        "discount": required(sum_of_discounts),
        **SUMS,
    },
    key=("month_start", "product_id", "product_key"),
    rules=(
        *profit_is_of_costed_revenue,
        is_first_of_month("month_start"),
        not_before("last_sale_date", "first_sale_date"),
        rule(
            "both sale dates are in the month",
            lambda t: (
                (t.first_sale_date.truncate("M") == t.month_start) & (t.last_sale_date.truncate("M") == t.month_start)
            ),
        ),
        at_least_as_many("units", "orders"),
    ),
)

MartProductPairs = table_schema(
    "warehouse.mart_product_pairs",
    {
        "sale_date": required(a_day),
        "product_id": required(not_zero),
        "other_product_id": required(not_zero),
        "orders": required(positive),
    },
    key=("sale_date", "product_id", "other_product_id"),
    rules=(rule("product_id is less than other_product_id", lambda t: t.product_id < t.other_product_id),),
)

AggProductPerformance = table_schema(
    "warehouse.agg_product_performance",
    {
        "product_id": required(not_zero),
        "first_sale_date": required(a_day),
        "last_sale_date": required(a_day),
        "discount": required(sum_of_discounts),
        **SUMS,
        "profit_margin": optional(),
    },
    key=("product_id",),
    rules=(
        *profit_is_of_costed_revenue,
        margin_is_defined(),
        not_before("last_sale_date", "first_sale_date"),
        at_least_as_many("units", "orders"),
    ),
)

MartCustomerMonthly = table_schema(
    "warehouse.mart_customer_monthly",
    {
        "month_start": required(a_day),
        "customer_id": required(not_zero),
        "first_order_date": required(a_day),
        "last_order_date": required(a_day),
        **SUMS,
    },
    key=("month_start", "customer_id"),
    rules=(
        *profit_is_of_costed_revenue,
        is_first_of_month("month_start"),
        not_before("last_order_date", "first_order_date"),
        rule(
            "both order dates are in the month",
            lambda t: (
                (t.first_order_date.truncate("M") == t.month_start) & (t.last_order_date.truncate("M") == t.month_start)
            ),
        ),
        at_least_as_many("units", "orders"),
    ),
)

AggCustomerMetrics = table_schema(
    "warehouse.agg_customer_metrics",
    {
        "customer_id": required(not_zero),
        "first_order_date": required(a_day),
        "last_order_date": required(a_day),
        **SUMS,
        "average_order_value": required(Check.ge(0)),
        "lifespan_years": required(Check.in_range(0.0833, 100)),
    },
    key=("customer_id",),
    rules=(
        *profit_is_of_costed_revenue,
        average_order_value_is_defined(),
        not_before("last_order_date", "first_order_date"),
        at_least_as_many("units", "orders"),
    ),
)

MartDailyRepeats = table_schema(
    "warehouse.mart_daily_repeats",
    {
        "sale_date": required(a_day),
        "interval_days": required(Check.in_range(0, (LAST_DAY - FIRST_DAY).days)),
        "orders": required(positive),
    },
    key=("sale_date", "interval_days"),
)
