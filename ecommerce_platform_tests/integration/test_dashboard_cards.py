"""What cards and charts show of small shops: days without orders, nothing to compare with, and what is left out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from dash import html
from dash.development.base_component import Component

from dashboards.app import cards
from dashboards.app.content import Content, Dashboards
from dashboards.app.drawn import Drawn
from dashboards.app.server import PARTS
from dashboards.app.store import Store
from dashboards.app.theme import DARK, LIGHT, contrast
from dashboards.spec.page_types import Page, Visual
from dashboards.spec.pages import CUSTOMERS, EXECUTIVE, GEOGRAPHY, PRODUCTS
from ecommerce_platform.io_managers import PostgresConnection
from ecommerce_platform_tests.harness import Platform, customer, line, order, product, returned


def shown(platform: Platform, page: Page, query: str = "?range=all") -> Content:
    """The data of a page, as the application computes it."""
    dashboards = Dashboards(Store(PostgresConnection(url=platform.url, role="reader")))
    content = dashboards.content(page, query)
    assert (content.fault, content.dropped) == (None, ())
    return content


def visual(page: Page, name: str) -> Visual:
    found = page.visual(name)
    assert found is not None
    return found


def texts(part: object) -> str:
    """All text of a component, a list of components, or a text, without definitions, which are behind a button."""
    if isinstance(part, html.Details) and part.className == "info":
        return ""
    if isinstance(part, Component):
        return texts(getattr(part, "children", None))
    if isinstance(part, list | tuple):
        return " ".join(filter(None, map(texts, part)))
    return "" if part is None else str(part)


def card(content: Content, kpi: str) -> str:
    """The text of a KPI card."""
    return texts(Drawn(content, "light", "").parts([[{"kpi": kpi}], *[[] for _ in PARTS[1:]]])[0])


def sold(platform: Platform, number: int, customer_id: int | str = 1, product_id: int = 1, **fields: str) -> None:
    """Load a day with one order over 10.00."""
    platform.load(
        number,
        customers=[customer(1, **fields)],
        products=[product(1)],
        transactions=[order(number, customer_id, on=number)],
        transaction_items=[line(number, number, product_id)],
    )


def test_a_week_without_orders_is_a_week_of_zero_not_of_old_revenue(platform: Platform) -> None:
    """The presets ended at the last order: ten loaded days without one showed the revenue of the week before."""
    sold(platform, 1)
    for number in range(2, 12):
        platform.load(number)
    week = shown(platform, EXECUTIVE, "?range=7d")
    assert week.kpis["revenue"].value == 0
    assert [row[0] for row in week.answers["revenue_trend"].rows] == [f"2024-01-{day:02d}" for day in range(5, 12)]
    ever = shown(platform, GEOGRAPHY)
    assert sum(row[4] for row in ever.answers["weekdays"].rows) == 11
    assert ever.answers["seasonality"].note == "Jan 2024 is incomplete."


def test_a_month_without_orders_is_in_the_full_history(platform: Platform) -> None:
    sold(platform, 31)
    platform.load(32)
    months = shown(platform, GEOGRAPHY, "?range=7d").answers["seasonality"]
    assert [(row[0], row[1]) for row in months.rows] == [("2024-01", Decimal("10.00")), ("2024-02", Decimal("0.00"))]
    assert months.partial == (0, 1)


def test_a_donut_shows_its_total_to_the_cent(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer(1)],
        products=[product(1)],
        transactions=[order(1, total="855.86")],
        transaction_items=[line(1, 1, price="855.86")],
    )
    content = shown(platform, EXECUTIVE)
    figure = Drawn(content, "light", "")._figure(visual(EXECUTIVE, "payment_methods"))
    assert "<b>$855.86</b>" in figure["layout"]["annotations"][0]["text"]


def test_returns_are_not_compared_with_orders_that_had_longer_to_come_back(platform: Platform) -> None:
    for number in (1, 8):
        platform.load(
            number,
            customers=[customer(1)],
            products=[product(1)],
            transactions=[order(number, on=number)],
            transaction_items=[line(number, number)],
            returns=[returned(number, number, number, on=number)] if number == 1 else [],
        )
    content = shown(platform, EXECUTIVE, "?from=2024-01-08&to=2024-01-08")
    assert "0.0%" in card(content, "return_rate")
    for kpi in ("returns", "return_rate"):
        assert "vs" not in card(content, kpi).split()
    assert "unchanged" in card(content, "revenue")


def test_a_card_without_a_change_says_why(platform: Platform) -> None:
    """A single day was compared with the day before, so that a Monday always fell short of its Sunday."""
    for number in range(1, 11):
        if number in (1, 3, 10):
            sold(platform, number)
        else:
            platform.load(number)
    content = shown(platform, EXECUTIVE, "?from=2024-01-09&to=2024-01-10")
    for kpi in ("revenue", "orders", "average_order_value", "profit_margin"):
        assert card(content, kpi).endswith("No orders in the prior period (7 Jan – 8 Jan 2024)"), kpi
    day = shown(platform, EXECUTIVE, "?from=2024-01-10&to=2024-01-10")
    assert "unchanged" in card(day, "revenue")
    assert card(day, "revenue").endswith("vs Wed 3 Jan 2024")
    nothing = shown(platform, EXECUTIVE, "?from=2024-01-08&to=2024-01-08")
    assert card(nothing, "average_order_value") == "Average order value –"
    assert "100.0%  vs Mon 1 Jan 2024" in card(nothing, "revenue")
    for query in ("?from=2024-01-02&to=2024-01-03", "?from=2024-01-07&to=2024-01-07"):
        assert card(shown(platform, EXECUTIVE, query), "revenue").endswith("No prior period"), query


def test_a_card_says_if_there_is_no_data_to_compare_with(platform: Platform) -> None:
    for number in (1, 8):
        sold(platform, number)
    for compare in ("year", "weekdays"):
        content = shown(platform, EXECUTIVE, f"?from=2024-01-08&to=2024-01-08&compare={compare}")
        assert card(content, "revenue").endswith("Not compared: data begins on Mon 1 Jan 2024")
        assert "compared_revenue" not in content.answers["revenue_trend"].csv()
    content = shown(platform, EXECUTIVE, "?from=2024-01-08&to=2024-01-08&compare=none")
    assert card(content, "revenue") == "Total revenue $10.00"
    assert "compared_revenue" not in content.answers["top_categories"].csv()
    menu = texts(Drawn(content, "light", "").frame("")[-1])
    assert menu == (
        "Compare with  nothing Prior period Mon 1 Jan 2024 Last year data begins Mon 1 Jan 2024"
        " Same weekdays data begins Mon 1 Jan 2024 Nothing"
    )


def test_each_comparison_has_its_own_numbers_in_the_cache(platform: Platform) -> None:
    for number in (1, 8, 15):
        sold(platform, number)
    dashboards = Dashboards(Store(PostgresConnection(url=platform.url, role="reader")))
    texts_of = {
        compare: card(dashboards.content(EXECUTIVE, f"?range=7d&compare={compare}"), "revenue")
        for compare in ("prior", "none", "year", "prior")
    }
    assert texts_of["prior"].endswith("vs 2 Jan – 8 Jan 2024")
    assert len(set(texts_of.values())) == 3


def test_a_margin_that_was_unknown_before_is_not_compared(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer(1)],
        products=[product(1), product(2, cost="")],
        transactions=[order(1)],
        transaction_items=[line(1, 1, 2)],
    )
    sold(platform, 8)
    content = shown(platform, EXECUTIVE, "?from=2024-01-08&to=2024-01-08")
    assert card(content, "profit_margin").endswith("No value in the prior period (Mon 1 Jan 2024)")


@pytest.mark.parametrize("fields", [{"state": ""}, {"country": "FR", "state": ""}])
def test_a_shop_without_us_states_has_no_map_and_no_count_of_states(platform: Platform, fields: dict[str, str]) -> None:
    sold(platform, 1, **fields)
    content = shown(platform, GEOGRAPHY)
    assert content.answers["state_map"].missing == ""
    assert note(content, "state_map") == "A map is shown if most of the revenue is from US states."
    (bars,) = Drawn(content, "light", "")._figure(visual(GEOGRAPHY, "state_map"))["data"]
    assert (bars["type"], bars["x"]) == ("bar", [10.0])
    assert cards.summary(visual(GEOGRAPHY, "state_map"), content.answers["state_map"]).startswith("Bar chart: ")
    unknown = f"Unknown ({fields.get('country', 'US')})"
    assert [row[0] for row in content.answers["state_map"].rows] == [unknown]
    assert content.kpis["states"].value is None
    for kpi, label in (("states", "States with orders"), ("top_five_states_share", "Share of top 5 states")):
        assert card(content, kpi) == f"{label} – No order has a known state"
    elsewhere = shown(platform, GEOGRAPHY, "?from=2024-02-01&to=2024-02-02")
    assert elsewhere.kpis["states"].value == 0


def test_a_shop_that_sells_mostly_elsewhere_gets_bars_and_one_of_the_us_a_map(platform: Platform) -> None:
    """The map was empty, or pale with one state, and nothing showed where the revenue came from."""
    places = [("FR", "IDF", "30.00"), ("US", "TX", "20.00"), ("DE", "BE", "9.00")]
    platform.load(
        1,
        customers=[customer(number, country=place[0], state=place[1]) for number, place in enumerate(places, 1)],
        products=[product(1)],
        transactions=[order(number, number, total=place[2]) for number, place in enumerate(places, 1)],
        transaction_items=[line(number, number, price=place[2]) for number, place in enumerate(places, 1)],
    )
    content = shown(platform, GEOGRAPHY)
    (bars,) = Drawn(content, "light", "")._figure(visual(GEOGRAPHY, "state_map"))["data"]
    assert (bars["type"], bars["x"]) == ("bar", [30.0, 20.0, 9.0])
    assert content.kpis["states"].value == 3
    content = shown(platform, GEOGRAPHY, "?range=all&region=South&state=US-TX")
    assert {trace["type"] for trace in Drawn(content, "light", "")._figure(visual(GEOGRAPHY, "state_map"))["data"]}
    texas = shown(platform, GEOGRAPHY, "?range=all&customer=2")
    map_, *_ = Drawn(texas, "light", "")._figure(visual(GEOGRAPHY, "state_map"))["data"]
    assert (map_["type"], map_["locations"]) == ("choropleth", ["TX"])


def test_a_map_has_a_scale_and_the_codes_of_its_states(platform: Platform) -> None:
    sold(platform, 1)
    content = shown(platform, GEOGRAPHY)
    for theme in (LIGHT, DARK):
        figure = Drawn(content, theme.name, "")._figure(visual(GEOGRAPHY, "state_map"))
        map_, _, names, _ = figure["data"]
        assert map_["showscale"]
        assert map_["colorbar"]["ticktext"] == ["$0", "$4", "$10"]
        assert map_["colorbar"]["tickvals"] == [value**0.5 for value in (0, 4, 10)]
        colors = dict(zip(names["text"], names["textfont"]["color"], strict=True))
        assert contrast(colors["TX"], theme.sequence[-1]) >= 4.5
        assert contrast(colors["CA"], theme.grid) >= 4.5


def test_bars_show_the_share_that_their_caption_promises(platform: Platform) -> None:
    sold(platform, 1)
    content = shown(platform, PRODUCTS)
    (bars,) = Drawn(content, "light", "")._figure(visual(PRODUCTS, "top_products"))["data"]
    assert "100.0%" in bars["text"][0]
    (bars,) = Drawn(content, "light", "")._figure(visual(PRODUCTS, "category_margin"))["data"]
    assert bars["text"] == ["40.0%"]


def test_payment_by_region_has_a_full_axis_and_labels(platform: Platform) -> None:
    sold(platform, 1)
    figure = Drawn(shown(platform, GEOGRAPHY), "light", "")._figure(visual(GEOGRAPHY, "region_payments"))
    assert figure["layout"]["xaxis"]["ticktext"] == ["0%", "25%", "50%", "75%", "100%"]
    assert figure["data"][0]["text"] == ["100%"]


def note(content: Content, name: str) -> str:
    """The text below a chart, or below its table if the URL asks for one."""
    asked = [[], [], *[[{"visual": name}] if output.component_id["type"] == "note" else [] for output in PARTS[2:]]]
    return Drawn(content, "light", "").parts(asked)[8][0]


def test_cards_count_guest_orders_in_words(platform: Platform) -> None:
    sold(platform, 1)
    sold(platform, 2, customer_id="")
    content = shown(platform, CUSTOMERS)
    for kpi in ("customers", "revenue_per_customer"):
        assert card(content, kpi).endswith("Excludes 1 guest order")
    for kpi in ("returning_share", "vip_share"):
        assert card(content, kpi).endswith("Share of all revenue, including guests")
    assert card(shown(platform, EXECUTIVE), "orders").endswith("1 without a customer")
    sold(platform, 3, customer_id="")
    assert card(shown(platform, CUSTOMERS), "customers").endswith("Excludes 2 guest orders")


def test_a_note_about_margins_stands_where_margins_are(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer(1)],
        products=[product(1), product(2, cost="")],
        transactions=[order(1)],
        transaction_items=[line(1, 1, 2)],
    )
    blank = "Margins are blank because no product cost is known."
    assert note(shown(platform, EXECUTIVE), "top_categories") == ""
    assert note(shown(platform, EXECUTIVE, "?range=all&table=top_categories"), "top_categories") == blank
    assert note(shown(platform, PRODUCTS), "price_ranges") == ""
    missing = shown(platform, PRODUCTS).answers["category_margin"].missing
    assert missing == "No margin: the export contains no costs for these products."
    sold(platform, 2)
    content = shown(platform, PRODUCTS)
    partly = "based on 50.0% of revenue (lines with a known cost)"
    assert note(content, "category_margin") == f"The margin is {partly}."
    assert note(content, "top_products") == ""
    assert (
        note(shown(platform, PRODUCTS, "?range=all&table=top_products"), "top_products") == f"The margin is {partly}."
    )
    assert card(shown(platform, EXECUTIVE), "profit_margin").endswith(f"B{partly[1:]}")


def test_charts_of_products_say_that_charges_are_among_them(platform: Platform) -> None:
    platform.load(
        1,
        customers=[customer(1)],
        products=[product(1), product("POST", category="Charges")],
        transactions=[order(1, total="20.00")],
        transaction_items=[line(1, 1, 1), line(1, 2, "POST")],
    )
    charges = "Includes charges such as postage and corrections; filter by category to leave them out."
    content = shown(platform, PRODUCTS)
    assert note(content, "top_products") == charges
    assert note(content, "long_tail").endswith(charges)
    assert note(content, "category_margin") == ""
    assert note(shown(platform, PRODUCTS, "?range=all&level=products.product"), "category_margin") == charges
    assert note(shown(platform, PRODUCTS, "?range=all&category=Electronics"), "top_products") == ""


def test_regions_outside_the_usa_are_countries_with_their_names(platform: Platform) -> None:
    sold(platform, 1, country="FR", state="")
    content = shown(platform, GEOGRAPHY, "?range=all&region=FR")
    answers = content.answers
    assert [row[0] for row in answers["regions"].rows] == ["France"]
    assert [row[0] for row in answers["region_payments"].rows] == ["France"]
    assert answers["region_payments"].clicks == ((("region", "FR"), ("payment", "Credit Card")),)
    assert "France" in texts(Drawn(content, "light", "").frame("")[4])


def test_the_cards_of_returns_name_refunds_whose_order_is_unknown(platform: Platform) -> None:
    """They were in no figure, and no page with the figures said so."""
    sold(platform, 1)
    platform.load(2, returns=[returned(1, 1, on=2), returned(7, 1, on=2, refund_amount="8.50")])
    said = "Excludes 1 refund ($8.50) whose order is not in the data"
    for query in ("?range=all", "?from=2024-01-02&to=2024-01-02"):
        content = shown(platform, EXECUTIVE, query)
        assert all(said in card(content, kpi) for kpi in ("returns", "net_revenue", "return_rate"))
        assert said not in card(content, "revenue")
    for query in ("?from=2024-01-01&to=2024-01-01", "?range=all&category=Electronics"):
        assert "Excludes" not in card(shown(platform, EXECUTIVE, query), "returns")
