"""The specification behind the web application, the Power BI project, the Tableau extract, and the README.

``metrics`` reads the metric definitions from sql/ddl/070_metrics.sql, ``fields`` defines the dimensions and measures,
and ``pages`` lays out the pages. Nothing here needs a web server; only ``tableau`` reads the database.
"""
