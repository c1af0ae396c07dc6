"""Where networks come from, and how they are varied."""
