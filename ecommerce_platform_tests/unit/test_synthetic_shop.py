"""The synthetic shop: the contents of its files, with and without defects."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

import pytest

from ecommerce_platform.feeds.columns import FEEDS
from ecommerce_platform.shop.exports import day_tables, feed_csv, feed_table
from ecommerce_platform.shop.settings import ShopSettings

pytestmark = pytest.mark.unit

FIRST = dt.date(2024, 1, 1)
CLEAN = ShopSettings(orders_per_day=60, customers=4_000, products=200, defect_rate=0)
FAULTY = ShopSettings(orders_per_day=60, customers=4_000, products=200, defect_rate=0.1)

Row = dict[str, str]


def day(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def rows(shop: ShopSettings, feed: str, days: range) -> Iterator[tuple[dt.date, Row]]:
    for number in days:
        text = feed_csv(shop, feed, day(number)).decode()
        for row in csv.DictReader(io.StringIO(text)):
            yield day(number), row


def key(feed: str) -> str:
    return FEEDS[feed][0]


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("feed", FEEDS)
def test_a_file_reads_back_as_the_table_it_was_made_from(feed):
    table = feed_table(FAULTY, feed, day(8))
    content = feed_csv(FAULTY, feed, day(8)).decode()
    header, *body = csv.reader(io.StringIO(content))
    assert tuple(header) == FEEDS[feed] == tuple(table.column_names)
    assert [tuple(row) for row in body] == [tuple(value or "" for value in row.values()) for row in table.to_pylist()]
    assert content.endswith("\n")
    assert "\r" not in content


def test_only_what_needs_quotes_has_them():
    content = feed_csv(CLEAN, "customers", FIRST).decode() + feed_csv(CLEAN, "products", FIRST).decode()
    quoted = re.findall(r'"((?:[^"]|"")*)"', content)
    assert all(re.search('[,"]', field) for field in quoted)


def test_names_hold_commas_quotes_apostrophes_and_accents():
    content = feed_csv(CLEAN, "customers", FIRST).decode() + feed_csv(CLEAN, "products", FIRST).decode()
    assert '""' in content
    assert "'" in content
    assert re.search('"[^"\n]*,', content)
    assert not content.isascii()


def test_all_feeds_of_a_day_are_the_feeds_made_alone():
    together = day_tables(FAULTY, day(30))
    assert list(together) == list(FEEDS)
    assert all(together[feed].equals(feed_table(FAULTY, feed, day(30))) for feed in FEEDS)
    assert {str(field.type) for table in together.values() for field in table.schema} == {"string"}


@pytest.mark.parametrize(
    ("feed", "number", "digest"),
    [
        ("customers", 0, "731c8cacd702bfb2d5b81345b8d9e6a06037068a1ce4c70a1c478d1630138334"),
        ("products", 0, "1577317e237fb60366c17b188be584535c2c6efcae0ed9249155f137cb42841a"),
        ("transactions", 333, "a1d794fa3dc046a4e852da1cd120076ff9433e5ae1a03ebd90f79dfb697a5b5e"),
        ("transaction_items", 333, "444e52fb86c6f3c934356a98609c265f2293abc0075a0245de56bd25c3609061"),
        ("customers", 700, "04fd4f68b9f71d6f3d9e4e2e6139bb77560b27db60818cf4467560fd666b8e41"),
    ],
)
def test_the_bytes_of_the_default_shop_are_the_same_on_every_machine(feed, number, digest):
    """A change here changes every user's history: add it to the changelog, then pin the new digests."""
    assert hashlib.sha256(feed_csv(ShopSettings(), feed, day(number))).hexdigest() == digest


def test_another_seed_is_another_shop():
    other = ShopSettings(orders_per_day=60, customers=4_000, products=200, defect_rate=0, seed=7)
    # Nothing comes back on the first days.
    assert all(feed_csv(CLEAN, feed, day(20)) != feed_csv(other, feed, day(20)) for feed in FEEDS)


def test_a_shop_without_orders_exports_headers():
    quiet = ShopSettings(orders_per_day=0, customers=1, products=1, defect_rate=0.5)
    assert feed_csv(quiet, "transactions", day(3)) == (",".join(FEEDS["transactions"]) + "\n").encode()
    assert feed_csv(quiet, "transaction_items", day(3)).count(b"\n") == 1


def test_a_shop_of_one_customer_and_one_product_still_sells():
    tiny = ShopSettings(orders_per_day=5, customers=1, products=1, defect_rate=0)
    bought = [row for _, row in rows(tiny, "transaction_items", range(10))]
    assert bought
    assert {row["product_id"] for row in bought} == {"1"}


def test_a_day_before_the_first_is_refused():
    with pytest.raises(ValueError, match="opens on 2024-01-01"):
        feed_csv(CLEAN, "customers", day(-1))


def test_an_unknown_feed_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="the feeds are customers, products"):
        feed_csv(CLEAN, "refunds", FIRST)


@pytest.mark.parametrize(
    "wrong",
    [{"orders_per_day": -1}, {"customers": 0}, {"products": 0}, {"defect_rate": 0.6}, {"defect_rate": -0.1}],
)
def test_settings_of_an_impossible_shop_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        ShopSettings(**wrong)


# --- customers and products -----------------------------------------------------------------------


def test_customers_come_once_when_they_register_and_again_when_something_changes():
    seen: dict[str, Row] = {}
    changed = Counter()
    for today, row in rows(CLEAN, "customers", range(730)):
        before = seen.get(row["customer_id"])
        assert row["updated_at"].startswith(str(today))
        if before is None:
            assert row["registered_on"] == str(today) or (today == FIRST and row["registered_on"] <= str(today))
        else:
            names = {name for name in row if row[name] != before[name]} - {"updated_at"}
            assert names
            assert names <= {"email", "phone", "street_address", "city", "state", "postal_code"}
            changed.update(names)
        seen[row["customer_id"]] = row
    assert 0.7 * CLEAN.customers <= len(seen) <= CLEAN.customers
    moves_a_year = changed["street_address"] / 2 / len(seen)
    assert 0.05 <= moves_a_year <= 0.1
    assert all(changed[name] for name in ("email", "phone", "city", "state", "postal_code"))


def test_customers_are_plausible_people():
    for _, row in rows(CLEAN, "customers", range(1)):
        assert re.fullmatch(r"[a-z0-9]+\.[a-z0-9]+@[a-z.]*example\.(com|org|net)", row["email"]), row
        assert re.fullmatch(r"\+1-\d{3}-555-\d{4}", row["phone"]), row
        assert re.fullmatch(r"\d{5}", row["postal_code"]), row
        assert row["country"] == "US"
        age = (dt.date.fromisoformat(row["registered_on"]) - dt.date.fromisoformat(row["date_of_birth"])).days / 365.25
        assert 18 <= age <= 82


def test_postal_codes_lie_in_their_state():
    prefixes = {"TX": range(750, 800), "CA": range(900, 962), "NY": range(100, 150), "MA": range(10, 28)}
    for _, row in rows(CLEAN, "customers", range(1)):
        if row["state"] in prefixes:
            assert int(row["postal_code"][:3]) in prefixes[row["state"]], row


def test_all_states_buy_in_the_default_shop():
    states = {row["state"] for _, row in rows(ShopSettings(defect_rate=0), "customers", range(1))}
    assert len(states) == 51


def test_products_change_their_price_a_few_times_a_year():
    images = Counter(row["product_id"] for _, row in rows(CLEAN, "products", range(365)))
    first = [product for product in images if int(product) <= 170]
    assert len(first) == 170
    changes = sum(images[product] - 1 for product in first) / len(first)
    assert 2 <= changes <= 4


def test_prices_end_in_99_or_49_and_lie_above_cost():
    for _, row in rows(CLEAN, "products", range(200)):
        assert row["price"].endswith((".99", ".49"))
        assert Decimal(row["price"]) > Decimal(row["cost"]) > 0
        assert row["product_name"].startswith(row["brand"])


def test_names_brands_or_shelves_change_rarely_but_do():
    shop = ShopSettings(products=1_000, defect_rate=0)
    seen: dict[str, Row] = {}
    changed = Counter()
    for _, row in rows(shop, "products", range(365)):
        before = seen.get(row["product_id"], row)
        changed.update(name for name in row if row[name] != before[name])
        seen[row["product_id"]] = row
    assert changed["category"] == 0
    assert 0 < changed["product_name"] < changed["price"] / 50
    assert 0 < changed["sub_category"] < changed["price"] / 50


# --- orders ---------------------------------------------------------------------------------------


def test_order_and_line_numbers_are_unique_for_ever_and_fit_a_double():
    orders = [int(row["transaction_id"]) for _, row in rows(CLEAN, "transactions", range(40))]
    items = [int(row["item_id"]) for _, row in rows(CLEAN, "transaction_items", range(40))]
    assert len(set(orders)) == len(orders)
    assert len(set(items)) == len(items)
    assert max(orders + items) < 2**53


def test_lines_carry_the_list_price_of_their_day():
    prices: dict[str, str] = {}
    for number in range(120):
        prices |= {row["product_id"]: row["price"] for _, row in rows(CLEAN, "products", range(number, number + 1))}
        for _, row in rows(CLEAN, "transaction_items", range(number, number + 1)):
            assert row["unit_price"] == prices[row["product_id"]]


def test_parcels_go_to_the_current_address_but_for_gifts():
    homes: dict[str, tuple[str, ...]] = {}
    at_home = Counter()
    for number in range(120):
        today = range(number, number + 1)
        for _, row in rows(CLEAN, "customers", today):
            homes[row["customer_id"]] = (row["street_address"], row["city"], row["state"])
        for _, row in rows(CLEAN, "transactions", today):
            to = (row["shipping_address"], row["shipping_city"], row["shipping_state"])
            at_home[homes[row["customer_id"]] == to] += 1
    assert 0.9 <= at_home[True] / at_home.total() <= 0.98


def test_a_product_stands_on_one_line_of_an_order():
    pairs = Counter(
        (row["transaction_id"], row["product_id"]) for _, row in rows(CLEAN, "transaction_items", range(40))
    )
    assert max(pairs.values()) == 1


def test_the_day_of_an_order_is_the_day_of_the_file_and_times_ascend():
    for number in range(5):
        times = [
            (row["transaction_date"], row["transaction_time"])
            for _, row in rows(CLEAN, "transactions", range(number, number + 1))
        ]
        assert times == sorted(times)
        assert {date for date, _ in times} == {str(day(number))}


# --- defects --------------------------------------------------------------------------------------

DAYS = range(60)


@pytest.fixture(scope="module")
def files() -> dict[tuple[bool, str], list[tuple[dt.date, Row]]]:
    """All rows of sixty days: from the shop with defects (True) and from the same shop without defects (False)."""
    return {(shop is FAULTY, feed): list(rows(shop, feed, DAYS)) for shop in (FAULTY, CLEAN) for feed in FEEDS}


def as_texts(filed: list[tuple[dt.date, Row]]) -> Counter[tuple[dt.date, tuple[str, ...]]]:
    return Counter((today, tuple(row.values())) for today, row in filed)


@pytest.mark.parametrize("feed", FEEDS)
def test_the_defect_rate_is_the_share_of_rows_touched(files, feed):
    clean, faulty = as_texts(files[False, feed]), as_texts(files[True, feed])
    differing = max((clean - faulty).total(), (faulty - clean).total())
    assert 0.5 * FAULTY.defect_rate <= differing / clean.total() <= 1.5 * FAULTY.defect_rate


@pytest.mark.parametrize("feed", FEEDS)
def test_some_rows_stand_twice_in_a_file(files, feed):
    assert any(count > 1 for count in as_texts(files[True, feed]).values())
    assert all(count == 1 for count in as_texts(files[False, feed]).values())


@pytest.mark.parametrize(
    ("feed", "column", "faulty"),
    [
        ("customers", "email", "not-an-email"),
        ("customers", "email", "@example.com"),
        ("customers", "customer_id", ""),
        ("customers", "date_of_birth", "2024-02-30"),
        ("products", "product_name", ""),
        ("products", "price", r"\d+,\d\d"),
        ("products", "brand", r"  \S.* "),
        ("transactions", "transaction_date", ""),
        ("transactions", "transaction_date", "31/12/2024"),
        ("transactions", "transaction_date", "n/a"),
        ("transactions", "customer_id", ""),
        ("transactions", "payment_method", r"  \S.* "),
        ("transaction_items", "quantity", r"-\d+"),
        ("transaction_items", "quantity", r"  \d+ "),
        ("transaction_items", "unit_price", r"\d+,\d\d"),
        ("transaction_items", "product_id", "99999900[123]"),
    ],
)
def test_values_go_wrong_in_every_way_but_never_in_a_clean_shop(files, feed, column, faulty):
    assert any(re.fullmatch(faulty, row[column]) for _, row in files[True, feed])
    assert not any(re.fullmatch(faulty, row[column]) for _, row in files[False, feed])


def test_wrong_totals_and_wrong_line_totals_occur(files):
    truth = {row["transaction_id"]: row["total_amount"] for _, row in files[False, "transactions"]}
    assert any(row["total_amount"] == "9" + truth[row["transaction_id"]] for _, row in files[True, "transactions"])
    truth = {row["item_id"]: row["line_total"] for _, row in files[False, "transaction_items"]}
    assert any(row["line_total"] == "9" + truth[row["item_id"]] for _, row in files[True, "transaction_items"])


def test_every_order_arrives_within_five_days_except_lost_headers(files):
    placed = {row["transaction_id"] for today, row in files[False, "transactions"] if today <= day(50)}
    arrived: dict[str, dt.date] = {}
    for today, row in files[True, "transactions"]:
        arrived.setdefault(row["transaction_id"], today)
    lost = placed - set(arrived)
    assert 0 < len(lost) / len(placed) < 0.02
    ordered = {number: dt.datetime.strptime(number[:8], "%Y%m%d").date() for number in arrived}
    assert {(arrived[number] - ordered[number]).days for number in arrived} == {0, 1, 2, 3, 4}
    lines = {row["transaction_id"] for _, row in files[True, "transaction_items"]}
    assert lost <= lines


def test_a_resent_order_keeps_its_day_and_comes_whole_and_sometimes_corrected(files):
    first: dict[str, Row] = {}
    corrected = unchanged = 0
    lines: dict[tuple[dt.date, str], list[Row]] = {}
    for today, row in files[True, "transaction_items"]:
        lines.setdefault((today, row["transaction_id"]), []).append(row)
    for today, row in files[True, "transactions"]:
        ordered = dt.datetime.strptime(row["transaction_id"][:8], "%Y%m%d").date()
        if today == ordered:
            first[row["transaction_id"]] = row
        elif row["transaction_id"] in first:
            assert row["transaction_date"] == str(ordered)
            again = lines[today, row["transaction_id"]]
            assert sum(Decimal(line["line_total"]) for line in again) == Decimal(row["total_amount"])
            assert len({line["item_id"] for line in again}) == len(again)
            same = row["total_amount"] == first[row["transaction_id"]]["total_amount"]
            unchanged, corrected = unchanged + same, corrected + (not same)
    assert corrected > 5
    assert unchanged > 5


def test_late_and_broken_images_arrive_whole_within_three_days(files):
    for feed in ("customers", "products"):
        truth = {tuple(row.values()): today for today, row in files[False, feed] if today <= day(55)}
        found: dict[tuple[str, ...], dt.date] = {}
        for today, row in files[True, feed]:
            found.setdefault(tuple(row.values()), today)
        delays = {(found[row] - truth[row]).days for row in truth if row in found}
        assert delays == {0, 1, 2, 3}
        # Malformed e-mail addresses and surrounding blanks remain; all other values are corrected.
        assert sum(row not in found for row in truth) / len(truth) < 0.06
