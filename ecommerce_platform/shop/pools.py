"""The pools that rows are drawn from: names, streets and small towns, filled once per seed by Faker."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple
from unicodedata import normalize

import pyarrow as pa
from faker import Faker

# Faker's American names are plain ASCII words. Real exports are not, and each of these names has broken a CSV reader.
_AWKWARD_FIRST_NAMES = (
    "José",
    "Zoë",
    "Renée",
    "D'Andre",
    "Björn",
    "Anne-Marie",
    'William "Bill"',
    "Siân",
    "Łukasz",
)
_AWKWARD_LAST_NAMES = (
    *("O'Connor", "D'Angelo", "O'Neill", "Núñez", "Müller", "García Márquez", "St. John", "Smith-Jones"),
    *("Davis, Jr.", "King, III", "van der Berg", "Nguyễn", "Sørensen", "de la Cruz"),
)
_SPELLED_OUT = str.maketrans({"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d"})  # NFKD leaves these unchanged

# RFC 2606 reserves these names: no generated address belongs to a real person.
EMAIL_DOMAINS = pa.array(
    ["example.com", "example.org", "example.net", "mail.example.com", "post.example.net", "inbox.example.org"]
)
# Most people live in a house; a comma in an address makes the CSV quote it.
UNITS = pa.array(
    [""] * 40 + [f" Apt. {n}" for n in range(1, 13)] + [f", Suite {n}00" for n in range(1, 9)] + [", Unit B"] * 4
)


class Pools(NamedTuple):
    """String arrays; `first_slugs` and `last_slugs` are the names as they appear in an e-mail address."""

    first_names: pa.Array
    first_slugs: pa.Array
    last_names: pa.Array
    last_slugs: pa.Array
    streets: pa.Array
    towns: pa.Array


@lru_cache(maxsize=8)
def pools(seed: int) -> Pools:
    """Return the pools of a seed. Common names repeat, so that a uniform draw keeps Faker's frequencies."""
    fake = Faker("en_US")
    fake.seed_instance(seed)
    # The same draws as repeated calls of first_name() and last_name(), without summing the weights each time.
    people: Any = fake.provider("faker.providers.person")
    first = [*fake.random_elements(people.first_names, length=400), *_AWKWARD_FIRST_NAMES]
    last = [*fake.random_elements(people.last_names, length=800), *_AWKWARD_LAST_NAMES]
    streets = [fake.street_name() for _ in range(1000)] + [
        "O'Hare Avenue",
        "Martin Luther King, Jr. Boulevard",
    ]
    towns = [fake.city() for _ in range(500)]
    return Pools(
        pa.array(first),
        pa.array([_slug(name) for name in first]),
        pa.array(last),
        pa.array([_slug(name) for name in last]),
        pa.array(streets),
        pa.array(towns),
    )


def _slug(name: str) -> str:
    ascii_name = normalize("NFKD", name.translate(_SPELLED_OUT)).encode("ascii", "ignore").decode()
    return "".join(letter for letter in ascii_name.lower() if letter.isalnum())
