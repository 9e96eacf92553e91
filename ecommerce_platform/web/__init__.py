"""What stands before the two web servers: the guard, and Dagster's webserver behind it."""
