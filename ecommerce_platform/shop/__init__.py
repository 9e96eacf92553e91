"""The synthetic shop: the feeds of any day as a pure function of settings and day. No Dagster, no database."""
