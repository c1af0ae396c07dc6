"""Rendering only; no decisions."""
