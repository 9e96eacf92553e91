"""The web application: Dash and plotly over a snapshot of the sales. Offline, read-only, no personal data."""
