"""The assets: one module a layer, in flow order. Each module is a table of contents."""
