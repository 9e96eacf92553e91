"""An asset-based e-commerce data platform: Dagster on PostgreSQL."""
