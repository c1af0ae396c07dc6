"""Seed path to torch generator: the only source of randomness in the runners."""

from __future__ import annotations

import hashlib

import torch

from ddspec.canon import canonical
from ddspec.wire.schedule import Seed


def seed_of(path: Seed) -> int:
    """Return the 63-bit seed of a path: the head of the SHA-256 of its canonical JSON."""
    return int.from_bytes(hashlib.sha256(canonical(list(path))).digest()[:8], "big") >> 1


def generator(*path: int | str) -> torch.Generator:
    """Return a fresh CPU generator for a seed path; equal paths draw equal numbers everywhere."""
    return torch.Generator().manual_seed(seed_of(path))
