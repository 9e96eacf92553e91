"""An asset-based e-commerce data platform: Dagster on PostgreSQL."""

import gc
import warnings

# Dagster and pandas make a quarter of a million objects that live as long as the process. Python looks through them
# again and again for garbage, by default after 700 new ones: a tenth of a day's run.
gc.set_threshold(50_000, 10, 10)

# Dagster is pinned exactly, so what it calls beta or preview does not change under us.
warnings.filterwarnings("ignore", message=r".* is currently in (beta|preview)")
