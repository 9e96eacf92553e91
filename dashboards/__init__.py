"""Dashboards: one specification, a web application, a Power BI project and a Tableau extract.

Reads the schemas warehouse, analytics and monitoring, as the role reader.
"""
