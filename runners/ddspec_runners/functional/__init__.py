"""Stateless tensor mathematics."""
