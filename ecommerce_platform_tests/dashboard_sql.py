"""What the dashboards show and what SQL on fact_sales says, for the tests that compare the two."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

import psycopg

from dashboards.app.answers import Answers
from dashboards.app.filters import parse
from dashboards.app.snapshot import Snapshot
from dashboards.spec.pages import PAGES
from ecommerce_platform.shop.geography import REGIONS, STATES

REGION_OF = {f"US-{state.code}": REGIONS[state.region] for state in STATES} | {"ZZ-Unknown": "Unknown"}

CODED_REGIONS = ", ".join(f"('{state}', '{region}')" for state, region in REGION_OF.items())

WIDE = f"""
create temporary table wide as
select
    facts.transaction_id,
    facts.sale_date,
    facts.quantity,
    facts.discount_amount,
    facts.revenue,
    facts.cost,
    coalesce(returned.units, 0) as returned_units,
    coalesce(returned.refunds, 0) as returns,
    to_char(facts.sale_date, 'YYYY-MM') as month,
    trim(to_char(facts.sale_date, 'Day')) as weekday,
    facts.customer_id::text as customer,
    customers.country || '-' || customers.state as state,
    regions.region,
    case when facts.customer_id is null then 'Guest' else now_customers.segment end as segment,
    payments.payment_method as payment,
    products.product_id::text as product,
    now_products.product_name,
    products.category,
    products.price_range,
    warehouse.discount_band(facts.discount_amount, facts.quantity * facts.unit_price) as discount_band,
    to_char(metrics.first_order_date, 'YYYY-MM') as cohort,
    case
        when facts.customer_id is null then 'guest'
        when to_char(metrics.first_order_date, 'YYYY-MM') = to_char(facts.sale_date, 'YYYY-MM') then 'new'
        else 'returning'
    end as buyer
from warehouse.fact_sales as facts
join warehouse.dim_customer as customers using (customer_key)
join warehouse.dim_customer as now_customers
    on now_customers.customer_id = customers.customer_id and now_customers.is_current
join warehouse.dim_payment as payments using (payment_key)
join warehouse.dim_product as products using (product_key)
join warehouse.dim_product as now_products
    on now_products.product_id = products.product_id and now_products.is_current
left join (values {CODED_REGIONS}) as regions (code, region)
    on regions.code = customers.country || '-' || customers.state
left join warehouse.agg_customer_metrics as metrics on metrics.customer_id = facts.customer_id
left join (
    select transaction_id, item_id, sum(quantity) as units, sum(refund_amount) as refunds
    from warehouse.fact_returns
    group by transaction_id, item_id
) as returned on returned.transaction_id = facts.transaction_id and returned.item_id = facts.item_id
"""

COMBINATIONS = [
    "",
    "?range=all",
    "?range=90d&state=US-CA",
    "?from=2024-05-17&to=2024-11-03&category=Electronics&payment=PayPal",
    "?range=all&region=South&segment=VIP&discount_band=None",
    "?range=all&price_range=Premium&weekday=Saturday&period=2024",
    "?range=ytd&buyer=returning&period=2025-02&level=time.day",
    "?range=all&segment=Guest",
    "?range=all&buyer=guest",
    "?range=all&cohort=2024-02&level=products.product&category=Books&level=places.state",
]


class Expected:
    """The SQL results for a query string."""

    def __init__(self, connection: psycopg.Connection, query: str, first: dt.date, last: dt.date):
        self.connection = connection
        self.given = {
            name: value for name, value in parse_qsl(query.lstrip("?")) if name not in ("level", "table", "compare")
        }
        starts = {
            "7d": last - dt.timedelta(days=6),
            "30d": last - dt.timedelta(days=29),
            "90d": last - dt.timedelta(days=89),
            "12m": last.replace(year=last.year - 1) + dt.timedelta(days=1),
            "ytd": dt.date(last.year, 1, 1),
            "all": first,
        }
        self.start, self.end = starts[self.given.pop("range", "12m")], last
        if "from" in self.given:
            self.start = dt.date.fromisoformat(self.given.pop("from"))
            self.end = dt.date.fromisoformat(self.given.pop("to"))

    def rows(
        self, columns: str, after: str = "", without: Sequence[str] = (), window: tuple[dt.date, dt.date] | None = None
    ) -> list[tuple]:
        """Select the filtered rows of the wide table, ignoring some of the filters."""
        conditions = ["sale_date between %(start)s and %(end)s"]
        start, end = window or (self.start, self.end)
        values: dict[str, Any] = {"start": start, "end": end}
        for name, value in self.given.items():
            if name in without:
                continue
            values[name] = value
            if name == "period":
                conditions.append("sale_date::text like %(period)s || '%%'")
            else:
                conditions.append(f"{name} = %({name})s")
        return self.connection.execute(
            f"select {columns} from wide where {' and '.join(conditions)} {after}".encode(), values
        ).fetchall()

    def one(self, columns: str, **options: Any) -> Any:
        return self.rows(columns, **options)[0][0]

    def by(
        self, dimension: str, columns: str, without: Sequence[str], window: tuple[dt.date, dt.date] | None = None
    ) -> dict[Any, tuple]:
        rows = self.rows(f"{dimension}, {columns}", f"group by {dimension}", without, window)
        return {row[0]: row[1:] for row in rows}


COSTED = "sum(revenue) filter (where cost is not null)"
SUMS = {
    "revenue": "sum(revenue)",
    "orders": "count(distinct transaction_id)",
    "units": "coalesce(sum(quantity), 0)::bigint",
    "customers": "count(distinct customer)",
    "gross_revenue": "coalesce(sum(revenue) + sum(discount_amount), 0)",
    "returns": "coalesce(sum(returns), 0)",
    "net_revenue": "coalesce(sum(revenue) - sum(returns), 0)",
    "returned_units": "sum(returned_units)::bigint",
    "return_rate": "round(sum(returned_units) / nullif(sum(quantity), 0) * 100, 2)",
    "discount": "sum(discount_amount)",
    "profit": f"{COSTED} - sum(cost)",
    "profit_margin": f"round(({COSTED} - sum(cost)) / nullif({COSTED}, 0) * 100, 2)",
    "margin_coverage": f"round(coalesce({COSTED}, 0) / nullif(sum(revenue), 0) * 100, 2)",
    "average_order_value": "round(sum(revenue) / count(distinct transaction_id), 2)",
    "revenue_share": "round(sum(revenue) / sum(sum(revenue)) over () * 100, 2)",
}


KPIS = {
    **{name: SUMS[name] for name in ("orders", "units", "customers", "profit_margin", "gross_revenue", "returns")},
    **{name: SUMS[name] for name in ("net_revenue", "return_rate")},
    "revenue": "coalesce(sum(revenue), 0)",
    "average_order_value": "round(sum(revenue) / nullif(count(distinct transaction_id), 0), 2)",
    "products_sold": "count(distinct product)",
    "revenue_per_customer": "round(sum(revenue) filter (where customer is not null)"
    " / nullif(count(distinct customer), 0), 2)",
    **{
        name: f"round(coalesce(sum(revenue) filter (where {condition}), 0) / nullif(sum(revenue), 0) * 100, 2)"
        for name, condition in (("returning_share", "buyer = 'returning'"), ("vip_share", "segment = 'VIP'"))
    },
    "states": "case when count(*) = 0 then 0"
    " else nullif(count(distinct state) filter (where state not like '%%-Unknown'), 0) end",
}
BEST = (("top_ten_share", "product", 10), ("top_five_states_share", "state", 5))
"""KPIs that are the share of the best members."""


def kpi_values(
    expected: Expected, without: Sequence[str] = (), window: tuple[dt.date, dt.date] | None = None
) -> dict[str, Any]:
    """The KPIs of the pages that follow filters, by ID, except the weekend uplift."""
    (row,) = expected.rows(", ".join(KPIS.values()), without=without, window=window)
    values = dict(zip(KPIS, row, strict=True))
    for name, dimension, best in BEST:
        sums = {member: found[0] for member, found in expected.by(dimension, "sum(revenue)", without, window).items()}
        parts = sorted((revenue for member, revenue in sums.items() if not member.endswith("-Unknown")), reverse=True)
        whole = sum(sums.values())
        values[name] = round_half_up(sum(parts[:best]) / whole * 100) if parts and whole else None
    return values


class Shown:
    """The dashboards' results for a query string."""

    def __init__(self, snapshot: Snapshot, query: str):
        view, dropped = parse(query, snapshot.vocabulary)
        assert dropped == ()
        self.answers = Answers(snapshot, view)

    @cached_property
    def all(self) -> dict[str, Any]:
        return {v.id: self.answers.answer(v) for page in PAGES if page.id != "health" for v in page.visuals}

    def by_click(self, visual: str) -> dict[str, dict[str, Any]]:
        """Return the rows of a chart by the member that a click on each filters by."""
        answer = self.all[visual]
        names = [column.id for column in answer.columns]
        return {
            clicks[0][1]: dict(zip(names, row, strict=True))
            for clicks, row in zip(answer.clicks, answer.rows, strict=True)
        }


def round_half_up(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), rounding="ROUND_HALF_UP")
