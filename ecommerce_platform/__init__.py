"""An asset-based e-commerce data platform: Dagster on PostgreSQL."""

import warnings

# Dagster is pinned exactly, so what it calls beta or preview does not change under us.
warnings.filterwarnings("ignore", message=r".* is currently in (beta|preview)")
