"""Walk a plan: skip what the store has, submit the rest, record."""
