"""How good a set is."""
