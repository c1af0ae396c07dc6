"""The tasks: one module per kind of work."""
