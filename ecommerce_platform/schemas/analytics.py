"""Analytics: the extracts."""

from __future__ import annotations

from pandera.ibis import Check

from ecommerce_platform.schemas.domains import (
    DAY_NAMES,
    DISCOUNT_BANDS,
    FORECAST_METHODS,
    INTERVAL_BANDS,
    PAYMENT_GROUPS,
    PRICE_RANGES,
    RFM_GROUPS,
    SEGMENTS,
    STOCK_STATUSES,
)
from ecommerce_platform.schemas.rules import (
    country,
    not_blank,
    not_negative,
    optional,
    percent,
    positive,
    required,
    rule,
    table_schema,
)
from ecommerce_platform.schemas.warehouse import (
    RETURNS,
    SUMS,
    a_day,
    at_least_as_many,
    average_order_value_is_defined,
    is_first_of_month,
    margin_is_defined,
    profit_is_of_costed_revenue,
    state_or_unknown,
    sum_of_discounts,
)

SUMS_WITHOUT_COST = {name: column for name, column in SUMS.items() if name != "cost"}
margin = optional()
share = optional(percent)
average = required(Check.ge(0))
NET = {"returns": RETURNS["returns"], "net_revenue": required()}
net_is_difference = rule("net_revenue = revenue - returns", lambda t: t.net_revenue == t.revenue - t.returns)
return_rate_is_defined = rule(
    "return_rate = returned_units / units * 100",
    lambda t: t.return_rate.identical_to((t.returned_units / t.units.nullif(0) * 100).round(2)),
)

TopProducts = table_schema(
    "analytics.top_products",
    {
        "sales_rank": required(Check.in_range(1, 100)),
        "product_code": required(not_blank),
        "product_name": required(not_blank),
        "category": required(not_blank),
        "brand": required(not_blank),
        **SUMS_WITHOUT_COST,
        "profit_margin": margin,
        "revenue_share": share,
    },
    key=("product_code",),
    rules=(margin_is_defined(),),
)

MonthlySales = table_schema(
    "analytics.monthly_sales",
    {
        "month_start": required(a_day),
        "guest_orders": required(Check.ge(0)),
        "customers": required(Check.ge(0)),
        **SUMS,
        "profit_margin": margin,
        "average_order_value": average,
        "revenue_change": optional(Check.ge(-100)),
        **RETURNS,
        **NET,
        "return_rate": optional(not_negative),
    },
    key=("month_start",),
    rules=(
        net_is_difference,
        return_rate_is_defined,
        is_first_of_month("month_start"),
        *profit_is_of_costed_revenue,
        margin_is_defined(),
        average_order_value_is_defined(),
        at_least_as_many("orders", "customers"),
        at_least_as_many("orders", "guest_orders"),
    ),
)

CustomerSegments = table_schema(
    "analytics.customer_segments",
    {
        "segment": required(Check.isin(SEGMENTS)),
        "customers": required(positive),
        "buyers": required(Check.ge(0)),
        "orders": required(Check.ge(0)),
        "revenue": required(Check.ge(0)),
        "costed_revenue": required(Check.ge(0)),
        "profit": optional(),
        "average_order_value": optional(Check.ge(0)),
        "customer_share": share,
        "revenue_share": share,
    },
    key=("segment",),
    rules=(
        average_order_value_is_defined(),
        at_least_as_many("customers", "buyers"),
        at_least_as_many("orders", "buyers"),
    ),
)

CategorySales = table_schema(
    "analytics.category_sales",
    {
        "category": required(not_blank),
        **SUMS,
        "profit_margin": margin,
        "revenue_share": share,
        **RETURNS,
        **NET,
        "return_rate": optional(not_negative),
    },
    key=("category",),
    rules=(*profit_is_of_costed_revenue, margin_is_defined(), net_is_difference, return_rate_is_defined),
)

PaymentMethods = table_schema(
    "analytics.payment_methods",
    {
        "payment_method": required(not_blank),
        "payment_group": required(Check.isin(PAYMENT_GROUPS)),
        "orders": required(positive),
        "revenue": required(),
        "average_order_value": average,
        "order_share": share,
        "revenue_share": share,
    },
    key=("payment_method",),
    rules=(average_order_value_is_defined(),),
)

Geography = table_schema(
    "analytics.geography",
    {
        "country": required(country),
        "state": required(state_or_unknown),
        "customers": required(Check.ge(0)),
        **SUMS_WITHOUT_COST,
        "profit_margin": margin,
        "average_order_value": average,
        "revenue_share": share,
    },
    key=("country", "state"),
    rules=(margin_is_defined(), average_order_value_is_defined()),
)

CustomerLifetimeValue = table_schema(
    "analytics.customer_lifetime_value",
    {
        "segment": required(Check.isin(SEGMENTS)),
        "customers": required(positive),
        "orders": required(positive),
        "revenue": required(),
        "average_order_value": average,
        "purchase_frequency": required(positive),
        "customer_lifespan": required(Check.in_range(0.0833, 100)),
        "customer_lifetime_value": required(Check.ge(0)),
    },
    key=("segment",),
    rules=(
        at_least_as_many("orders", "customers"),
        average_order_value_is_defined(),
        rule(
            "customer_lifetime_value = average_order_value * purchase_frequency * customer_lifespan, rounded once",
            # The rounding error of each factor is at most half a unit in its last place; in the product, this error is
            # multiplied by the other factors.
            lambda t: (
                (t.customer_lifetime_value - t.average_order_value * t.purchase_frequency * t.customer_lifespan).abs()
                * 10_000
                <= 100
                + 60 * t.purchase_frequency * t.customer_lifespan
                + t.average_order_value.abs() * (t.purchase_frequency + t.customer_lifespan)
            ),
        ),
    ),
)

ProductProfitability = table_schema(
    "analytics.product_profitability",
    {
        "product_code": required(not_blank),
        "product_name": required(not_blank),
        "category": required(not_blank),
        "price_range": required(Check.isin(PRICE_RANGES)),
        **{name: column for name, column in SUMS.items() if name != "orders"},
        "profit_margin": margin,
        "profit_rank": optional(positive),
    },
    key=("product_code",),
    rules=(
        *profit_is_of_costed_revenue,
        margin_is_defined(),
        rule(
            "profit_rank is null if and only if profit is null", lambda t: t.profit_rank.isnull() == t.profit.isnull()
        ),
    ),
)

ReturnsByProduct = table_schema(
    "analytics.returns_by_product",
    {
        "product_code": required(not_blank),
        "product_name": required(not_blank),
        "category": required(not_blank),
        "units": required(positive),
        "return_count": required(positive),
        "revenue": required(),
        **RETURNS,
        **NET,
        "return_rate": optional(not_negative),
        "returns_rank": required(positive),
    },
    key=("product_code",),
    rules=(net_is_difference, return_rate_is_defined),
)

DailySales = table_schema(
    "analytics.daily_sales",
    {
        "sale_date": required(a_day),
        "day_name": required(Check.isin(DAY_NAMES)),
        "is_weekend": required(),
        "guest_orders": required(Check.ge(0)),
        "customers": required(Check.ge(0)),
        **SUMS_WITHOUT_COST,
        "average_order_value": average,
        "revenue_7_day_mean": required(),
        **NET,
    },
    key=("sale_date",),
    rules=(
        net_is_difference,
        average_order_value_is_defined(),
        at_least_as_many("orders", "customers"),
        at_least_as_many("orders", "guest_orders"),
    ),
)

DiscountImpact = table_schema(
    "analytics.discount_impact",
    {
        "discount_band": required(Check.isin(DISCOUNT_BANDS)),
        "lines": required(positive),
        "discount": required(sum_of_discounts),
        **SUMS_WITHOUT_COST,
        "profit_margin": margin,
        "revenue_share": share,
    },
    key=("discount_band",),
    rules=(margin_is_defined(), at_least_as_many("units", "lines")),
)

RfmSegments = table_schema(
    "analytics.rfm_segments",
    {
        "rfm_group": required(Check.isin(RFM_GROUPS)),
        "customers": required(positive),
        "customer_share": share,
        "orders": required(positive),
        "revenue": required(),
        "revenue_share": share,
        "average_recency_days": required(not_negative),
        "average_orders": required(Check.ge(1)),
        "average_revenue": required(),
    },
    key=("rfm_group",),
    rules=(
        at_least_as_many("orders", "customers"),
        rule(
            "average_orders = orders / customers, rounded",
            lambda t: (t.average_orders * t.customers - t.orders).abs() * 200 <= t.customers,
        ),
        rule(
            "average_revenue = revenue / customers", lambda t: t.average_revenue == (t.revenue / t.customers).round(2)
        ),
    ),
)

CohortCurves = table_schema(
    "analytics.cohort_curves",
    {
        "cohort_month": required(a_day),
        "months_since": required(not_negative),
        "month_start": required(a_day),
        "customers": required(positive),
        "active_customers": required(not_negative),
        "retention": required(Check.in_range(0, 100)),
        "orders": required(not_negative),
        "revenue": required(),
        "cumulative_revenue": required(),
        "cumulative_revenue_per_customer": required(),
        "is_complete": required(),
    },
    key=("cohort_month", "months_since"),
    rules=(
        is_first_of_month("cohort_month"),
        is_first_of_month("month_start"),
        rule(
            "month_start is months_since months after cohort_month",
            lambda t: (
                t.months_since
                == (t.month_start.year() - t.cohort_month.year()) * 12 + t.month_start.month() - t.cohort_month.month()
            ),
        ),
        at_least_as_many("customers", "active_customers"),
        at_least_as_many("orders", "active_customers"),
        rule(
            "every customer of a cohort is active in its first month",
            lambda t: (t.months_since > 0) | (t.active_customers == t.customers),
        ),
        rule(
            "cumulative_revenue_per_customer = cumulative_revenue / customers",
            lambda t: t.cumulative_revenue_per_customer == (t.cumulative_revenue / t.customers).round(2),
        ),
    ),
)

RepeatPurchases = table_schema(
    "analytics.repeat_purchases",
    {
        "interval_band": required(Check.isin(INTERVAL_BANDS)),
        "from_days": required(not_negative),
        "to_days": optional(not_negative),
        "orders": required(not_negative),
        "order_share": share,
        "cumulative_share": share,
        "median_interval_days": optional(not_negative),
        "customers": required(positive),
        "repeat_customers": required(not_negative),
        "repeat_customer_share": required(Check.in_range(0, 100)),
    },
    key=("interval_band",),
    rules=(
        at_least_as_many("customers", "repeat_customers"),
        rule("from_days is at most to_days", lambda t: t.from_days <= t.to_days),
        rule("order_share is at most cumulative_share", lambda t: t.order_share <= t.cumulative_share),
    ),
)

StockCover = table_schema(
    "analytics.stock_cover",
    {
        "product_code": required(not_blank),
        "product_name": required(not_blank),
        "category": required(not_blank),
        "stock_quantity": optional(),
        "stock_date": required(a_day),
        "units": required(not_negative),
        "revenue": required(not_negative),
        "units_per_day": required(not_negative),
        "days_of_cover": optional(not_negative),
        "runs_out_on": optional(),
        "stock_status": required(Check.isin(STOCK_STATUSES)),
        "as_of_date": optional(a_day),
    },
    key=("product_code",),
    rules=(
        rule(
            "Unknown if and only if stock_quantity is null",
            lambda t: (t.stock_status == "Unknown") == t.stock_quantity.isnull(),
        ),
        rule(
            "Out of stock if and only if stock_quantity is 0 or less",
            lambda t: (t.stock_status == "Out of stock") == (t.stock_quantity <= 0).fill_null(False),
        ),
        rule(
            "No sales if and only if there is stock and nothing was sold",
            lambda t: (t.stock_status == "No sales") == ((t.stock_quantity > 0) & (t.units == 0)).fill_null(False),
        ),
        rule(
            "days_of_cover is at most 7 if it runs out within 7 days",
            lambda t: (t.stock_status != "Runs out within 7 days") | (t.days_of_cover <= 7),
        ),
        rule(
            "days_of_cover is 7 to 30 if it runs out within 30 days",
            lambda t: (t.stock_status != "Runs out within 30 days") | t.days_of_cover.between(7, 30),
        ),
        rule(
            "days_of_cover is at least 30 if it is enough",
            lambda t: (t.stock_status != "Enough") | (t.days_of_cover >= 30),
        ),
        rule("runs_out_on is after as_of_date", lambda t: t.runs_out_on > t.as_of_date),
    ),
)

ProductPairs = table_schema(
    "analytics.product_pairs",
    {
        "pair_rank": required(Check.in_range(1, 200)),
        "product_code": required(not_blank),
        "product_name": required(not_blank),
        "category": required(not_blank),
        "other_product_code": required(not_blank),
        "other_product_name": required(not_blank),
        "other_category": required(not_blank),
        "orders_together": required(Check.ge(10)),
        "product_orders": required(positive),
        "other_product_orders": required(positive),
        "support": required(Check.in_range(0, 100)),
        "confidence": required(Check.in_range(0, 100)),
        "other_confidence": required(Check.in_range(0, 100)),
        "lift": required(positive),
        "orders": required(positive),
        "large_orders": required(not_negative),
        "first_date": required(a_day),
        "as_of_date": required(a_day),
    },
    key=("product_code", "other_product_code"),
    rules=(
        at_least_as_many("product_orders", "orders_together"),
        at_least_as_many("other_product_orders", "orders_together"),
        at_least_as_many("orders", "product_orders"),
        at_least_as_many("orders", "other_product_orders"),
        at_least_as_many("orders", "large_orders"),
        rule(
            "support = orders_together / orders * 100, rounded",
            lambda t: (t.support * t.orders - t.orders_together * 100).abs() * 200 <= t.orders,
        ),
        rule("orders_together is at least a thousandth of orders", lambda t: t.orders_together * 1000 >= t.orders),
    ),
)

SalesAnomalies = table_schema(
    "analytics.sales_anomalies",
    {
        "sale_date": required(a_day),
        "category": required(not_blank),
        "revenue": required(not_negative),
        "expected_revenue": required(positive),
        "deviation": required(),
        "robust_z": required(),
        "direction": required(Check.isin(["Above", "Below"])),
    },
    key=("sale_date", "category"),
    rules=(
        rule("deviation = revenue - expected_revenue", lambda t: t.deviation == t.revenue - t.expected_revenue),
        rule("robust_z is at least 3.5, or at most -3.5", lambda t: t.robust_z.abs() >= 3.5),
        rule("Above if and only if robust_z is positive", lambda t: (t.direction == "Above") == (t.robust_z > 0)),
    ),
)

SalesForecast = table_schema(
    "analytics.sales_forecast",
    {
        "forecast_date": required(a_day),
        "forecast": required(not_negative),
        "lower_80": required(not_negative),
        "upper_80": required(not_negative),
        "lower_95": required(not_negative),
        "upper_95": required(not_negative),
        "method": required(Check.isin(FORECAST_METHODS)),
        "first_date": required(a_day),
        "as_of_date": required(a_day),
    },
    key=("forecast_date",),
    rules=(
        rule(
            "lower_95 <= lower_80 <= forecast <= upper_80 <= upper_95",
            lambda t: (
                (t.lower_95 <= t.lower_80)
                & (t.lower_80 <= t.forecast)
                & (t.forecast <= t.upper_80)
                & (t.upper_80 <= t.upper_95)
            ),
        ),
        rule("forecast_date is after as_of_date", lambda t: t.forecast_date > t.as_of_date),
        rule("as_of_date is after first_date", lambda t: t.as_of_date > t.first_date),
    ),
)
