"""The web application: Dash and plotly on an in-memory snapshot of the order lines. Offline and read-only."""
