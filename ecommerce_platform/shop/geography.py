"""The places of the shop: the fifty states and DC with their weights, regions, postal codes and cities.

Populations are thousands of residents (U.S. Census Bureau, estimates of 2023), regions its four census
regions, postal prefixes the three-digit ZIP ranges of the U.S. Postal Service, area codes those of the North
American Numbering Plan.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from ecommerce_platform.shop import draws
from ecommerce_platform.shop.pools import pools

REGIONS = ("Northeast", "South", "Midwest", "West")


class State(NamedTuple):
    """One state: ISO 3166-2 code, position in REGIONS, thousands of people, first and last ZIP prefix."""

    code: str
    region: int
    thousands: int
    first_zip: int
    last_zip: int
    area_codes: tuple[int, ...]
    cities: tuple[str, ...]  # the largest first


NORTHEAST, SOUTH, MIDWEST, WEST = range(4)

# fmt: off
STATES = (
    State("AL", SOUTH, 5108, 350, 369, (205, 251, 256), ("Huntsville", "Birmingham", "Montgomery", "Mobile")),
    State("AK", WEST, 733, 995, 999, (907,), ("Anchorage", "Fairbanks", "Juneau", "Utqiaġvik")),
    State("AZ", WEST, 7431, 850, 865, (602, 480, 520), ("Phoenix", "Tucson", "Mesa", "Chandler")),
    State("AR", SOUTH, 3067, 716, 729, (501, 479),
          ("Little Rock", "Fayetteville", "Fort Smith", "Springdale")),
    State("CA", WEST, 38965, 900, 961, (213, 415, 619, 408),
          ("Los Angeles", "San Diego", "San José", "San Francisco", "Fresno", "Sacramento")),
    State("CO", WEST, 5878, 800, 816, (303, 719), ("Denver", "Colorado Springs", "Aurora", "Fort Collins")),
    State("CT", NORTHEAST, 3617, 60, 69, (203, 860), ("Bridgeport", "Stamford", "New Haven", "Hartford")),
    State("DE", SOUTH, 1032, 197, 199, (302,), ("Wilmington", "Dover", "Newark", "Middletown")),
    State("DC", SOUTH, 679, 200, 205, (202,), ("Washington",)),
    State("FL", SOUTH, 22611, 320, 349, (305, 407, 813, 904),
          ("Jacksonville", "Miami", "Tampa", "Orlando", "St. Petersburg", "Hialeah")),
    State("GA", SOUTH, 11029, 300, 319, (404, 706, 912), ("Atlanta", "Columbus", "Augusta", "Savannah")),
    State("HI", WEST, 1435, 967, 968, (808,), ("Honolulu", "Hilo", "Kailua", "Waipahu")),
    State("ID", WEST, 1965, 832, 838, (208,), ("Boise", "Meridian", "Nampa", "Coeur d'Alene")),
    State("IL", MIDWEST, 12549, 600, 629, (312, 630, 217), ("Chicago", "Aurora", "Joliet", "Naperville")),
    State("IN", MIDWEST, 6862, 460, 479, (317, 219),
          ("Indianapolis", "Fort Wayne", "Evansville", "South Bend")),
    State("IA", MIDWEST, 3207, 500, 528, (515, 319),
          ("Des Moines", "Cedar Rapids", "Davenport", "Sioux City")),
    State("KS", MIDWEST, 2941, 660, 679, (316, 913), ("Wichita", "Overland Park", "Kansas City", "Olathe")),
    State("KY", SOUTH, 4526, 400, 427, (502, 859), ("Louisville", "Lexington", "Bowling Green", "Owensboro")),
    State("LA", SOUTH, 4574, 700, 714, (504, 225), ("New Orleans", "Baton Rouge", "Shreveport", "Metairie")),
    State("ME", NORTHEAST, 1396, 40, 49, (207,), ("Portland", "Lewiston", "Bangor", "South Portland")),
    State("MD", SOUTH, 6180, 206, 219, (301, 410), ("Baltimore", "Columbia", "Germantown", "Silver Spring")),
    State("MA", NORTHEAST, 7001, 10, 27, (617, 508, 413),
          ("Boston", "Worcester", "Springfield", "Cambridge")),
    State("MI", MIDWEST, 10037, 480, 499, (313, 616, 734),
          ("Detroit", "Grand Rapids", "Warren", "Ann Arbor")),
    State("MN", MIDWEST, 5738, 550, 567, (612, 651), ("Minneapolis", "St. Paul", "Rochester", "Duluth")),
    State("MS", SOUTH, 2940, 386, 397, (601, 228), ("Jackson", "Gulfport", "Southaven", "Biloxi")),
    State("MO", MIDWEST, 6196, 630, 658, (816, 314), ("Kansas City", "St. Louis", "Springfield", "Columbia")),
    State("MT", WEST, 1133, 590, 599, (406,), ("Billings", "Missoula", "Great Falls", "Bozeman")),
    State("NE", MIDWEST, 1978, 680, 693, (402,), ("Omaha", "Lincoln", "Bellevue", "Grand Island")),
    State("NV", WEST, 3194, 889, 898, (702, 775), ("Las Vegas", "Henderson", "Reno", "Sparks")),
    State("NH", NORTHEAST, 1402, 30, 38, (603,), ("Manchester", "Nashua", "Concord", "Dover")),
    State("NJ", NORTHEAST, 9291, 70, 89, (201, 732, 856), ("Newark", "Jersey City", "Paterson", "Elizabeth")),
    State("NM", WEST, 2114, 870, 884, (505, 575), ("Albuquerque", "Las Cruces", "Rio Rancho", "Española")),
    State("NY", NORTHEAST, 19571, 100, 149, (212, 718, 914, 585),
          ("New York", "Buffalo", "Rochester", "Yonkers", "Syracuse", "Albany")),
    State("NC", SOUTH, 10835, 270, 289, (704, 919, 336), ("Charlotte", "Raleigh", "Greensboro", "Durham")),
    State("ND", MIDWEST, 784, 580, 588, (701,), ("Fargo", "Bismarck", "Grand Forks", "Minot")),
    State("OH", MIDWEST, 11786, 430, 458, (614, 216, 513), ("Columbus", "Cleveland", "Cincinnati", "Toledo")),
    State("OK", SOUTH, 4054, 734, 749, (405, 918), ("Oklahoma City", "Tulsa", "Norman", "Broken Arrow")),
    State("OR", WEST, 4233, 970, 979, (503, 541), ("Portland", "Eugene", "Salem", "Gresham")),
    State("PA", NORTHEAST, 12962, 150, 196, (215, 412, 717),
          ("Philadelphia", "Pittsburgh", "Allentown", "Reading", "Erie")),
    State("RI", NORTHEAST, 1096, 28, 29, (401,), ("Providence", "Cranston", "Warwick", "Pawtucket")),
    State("SC", SOUTH, 5374, 290, 299, (803, 843),
          ("Charleston", "Columbia", "North Charleston", "Greenville")),
    State("SD", MIDWEST, 919, 570, 577, (605,), ("Sioux Falls", "Rapid City", "Aberdeen", "Brookings")),
    State("TN", SOUTH, 7126, 370, 385, (615, 901), ("Nashville", "Memphis", "Knoxville", "Chattanooga")),
    State("TX", SOUTH, 30503, 750, 799, (713, 214, 512, 210),
          ("Houston", "San Antonio", "Dallas", "Austin", "Fort Worth", "El Paso")),
    State("UT", WEST, 3418, 840, 847, (801, 435),
          ("Salt Lake City", "West Valley City", "Provo", "St. George")),
    State("VT", NORTHEAST, 647, 50, 59, (802,), ("Burlington", "Essex", "Rutland", "Montpelier")),
    State("VA", SOUTH, 8716, 220, 246, (703, 757, 804),
          ("Virginia Beach", "Chesapeake", "Norfolk", "Richmond")),
    State("WA", WEST, 7813, 980, 994, (206, 509, 360), ("Seattle", "Spokane", "Tacoma", "Vancouver")),
    State("WV", SOUTH, 1770, 247, 268, (304,), ("Charleston", "Huntington", "Morgantown", "Parkersburg")),
    State("WI", MIDWEST, 5911, 530, 549, (414, 608), ("Milwaukee", "Madison", "Green Bay", "Kenosha")),
    State("WY", WEST, 584, 820, 831, (307,), ("Cheyenne", "Casper", "Laramie", "Gillette")),
)
# fmt: on

SLOTS = 32  # a city is drawn as one of 32 slots of its state, so that the biggest cities can own several
_SLOTS_OF_THE_BIGGEST = (8, 5, 3, 2, 1, 1)

# The shop is at home in California. Large markets, where it advertises, order more than their share of the population.
_HOME_MARKET, _HOME_PERCENT = "CA", 175
STATE_WEIGHTS = draws.cumulative(
    [
        (state.thousands + state.thousands * state.thousands // 30_000)
        * (_HOME_PERCENT if state.code == _HOME_MARKET else 100)
        for state in STATES
    ]
)
STATE_CODES = pa.array([state.code for state in STATES])
REGION_OF_STATE = np.array([state.region for state in STATES])
AREA_CODES = np.array([[(state.area_codes * 12)[slot] for slot in range(12)] for state in STATES])


class Cities(NamedTuple):
    """The cities of all states in one list, with the slots that refer to them."""

    names: pa.Array
    of_slot: np.ndarray  # (states, SLOTS) -> position in names
    states: np.ndarray  # position in STATES of each city
    zip_prefixes: np.ndarray  # three digits, inside the range of the state


@lru_cache(maxsize=8)
def cities(seed: int) -> Cities:
    """Return every state's large cities, and small towns from the pool for the remaining slots."""
    towns = pools(seed).towns.to_pylist()
    names: list[str] = []
    states: list[int] = []
    prefixes: list[int] = []
    of_slot = np.empty((len(STATES), SLOTS), dtype=np.int64)
    for position, state in enumerate(STATES):
        span = state.last_zip - state.first_zip + 1
        big = list(zip(state.cities, _SLOTS_OF_THE_BIGGEST, strict=False))
        if state.code == "DC":
            big = [("Washington", SLOTS)]
        taken = sum(width for _, width in big)
        small = [(towns[(position * SLOTS + slot) % len(towns)], 1) for slot in range(taken, SLOTS)]
        slot = 0
        for rank, (name, width) in enumerate(big + small):
            of_slot[position, slot : slot + width] = len(names)
            names.append(name)
            states.append(position)
            prefixes.append(state.first_zip + rank * 7 % span)
            slot += width
    return Cities(pa.array(names), of_slot, np.array(states), np.array(prefixes))
