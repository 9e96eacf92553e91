"""From a table's name to its asset: its SQL files, columns, dependencies and days."""
