"""The synthetic shop: any day's four feeds as a pure function of seed, day and settings. No Dagster, no database."""
