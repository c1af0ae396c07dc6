"""Published protocols, as data."""
