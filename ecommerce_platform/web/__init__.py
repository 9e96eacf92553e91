"""The guard in front of the two web servers, and Dagster's webserver behind it."""
