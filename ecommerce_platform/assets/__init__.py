"""The assets: one module per layer, in flow order. Each module is a table of contents."""
