"""An asset-based e-commerce data platform: Dagster on PostgreSQL."""

import gc
import warnings

# Dagster and pandas make a quarter of a million objects that live as long as the process. Python looks through them
# again and again for garbage, by default after 700 new ones. Without this and gc.freeze() in definitions.py, a day's
# run took 7.9 to 10.5 s instead of 6.5 to 7.1 s, and a first load of 100,000 orders 40 to 45 s instead of 36 to 48 s.
gc.set_threshold(50_000, 10, 10)

# Dagster is pinned exactly, so what it calls beta or preview does not change under us.
warnings.filterwarnings("ignore", message=r".* is currently in (beta|preview)")
