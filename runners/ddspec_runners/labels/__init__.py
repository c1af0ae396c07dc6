"""Soft labels: who gives them, how they are stored, and how a student learns from them."""
