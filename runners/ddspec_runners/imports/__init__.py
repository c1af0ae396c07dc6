"""Sets in files of official code: opened without trust, and understood."""
