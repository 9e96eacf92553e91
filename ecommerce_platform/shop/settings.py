"""The settings of the synthetic shop."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class ShopSettings:
    """The settings of a shop: two shops with equal settings export equal bytes.

    first_day: the day of the first export, which holds all customers and products that exist by then.
    orders_per_day: mean over the first 1057 days; the number varies with growth, season and weekday.
    customers: the number registered after three years. products: the number ever launched.
    defect_rate: the share of rows with a defect, from 0 to 0.5; 0 produces clean files.
    Raises ValueError for a value out of range.
    """

    first_day: dt.date = dt.date(2024, 1, 1)
    orders_per_day: int = 300
    customers: int = 10_000
    products: int = 1_000
    seed: int = 42
    defect_rate: float = 0.01

    def __post_init__(self) -> None:
        limits = {
            "orders_per_day": (self.orders_per_day, 0, 100_000),
            "customers": (self.customers, 1, 10_000_000),  # the first file must stay below two gigabytes
            "products": (self.products, 1, 10_000_000),  # ids from 999999001 never exist
            "defect_rate": (self.defect_rate, 0, 0.5),
        }
        for name, (value, least, most) in limits.items():
            if not least <= value <= most:
                raise ValueError(f"{name} is {value}; it must be from {least} to {most}")
