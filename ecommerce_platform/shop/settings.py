"""What makes a shop."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True)
class ShopSettings:
    """What makes a shop: two shops with equal settings export equal bytes.

    first_day: the day of the first export, which holds all customers and products there are by then.
    orders_per_day: mean over the first 1057 days; a day brings more or fewer by growth, season and weekday.
    customers: how many have registered after three years. products: how many were ever launched.
    defect_rate: the share of rows, from 0 to 0.5, that something is wrong with; 0 makes clean files.
    Raises ValueError for a shop that cannot be.
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
                raise ValueError(f"{name} is {value}; the synthetic shop takes {least} to {most}")
