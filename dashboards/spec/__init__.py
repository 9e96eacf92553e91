"""The specification that the web application, the Power BI project and the guide are made from.

``metrics`` reads the definitions of the metrics from sql/ddl/070_metrics.sql, ``fields`` names what can be shown and
filtered, ``pages`` says which page shows what. No database, no web server.
"""
