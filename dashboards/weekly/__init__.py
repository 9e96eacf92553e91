"""The weekly summary: its numbers, which are those of the dashboards, its picture, and its page."""
