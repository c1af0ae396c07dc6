"""What a runner can fail with, and the exit code that says so."""

from __future__ import annotations


class BadJob(Exception):
    """The job asks for something that this runner does not know or that contradicts itself (64)."""


class BadData(Exception):
    """The data are missing, damaged, or not the ones that the plan names (65)."""


class Diverged(Exception):
    """Numbers stopped being finite: the settings ask for steps that are too large (1)."""
