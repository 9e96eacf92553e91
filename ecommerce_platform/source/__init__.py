"""Where a day's files come from: the synthetic shop, or a folder with a user's own exports.

No Dagster and no database here.
"""
