"""Dashboards: a web application, a Power BI project, and a Tableau extract, all from one specification.

They read the warehouse, analytics, and monitoring schemas as the reader role.
"""
