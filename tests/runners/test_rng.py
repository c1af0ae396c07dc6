"""Seed paths: equal paths draw equal numbers, different paths different ones."""

from __future__ import annotations

import hashlib

import torch

from ddspec_runners.rng import generator, seed_of


def test_equal_paths_draw_equal_numbers() -> None:
    first, second = (torch.rand(8, generator=generator(0, "distill", 3)) for _ in range(2))

    assert first.equal(second)


def test_paths_are_not_confused_by_how_their_parts_join() -> None:
    seeds = {seed_of(path) for path in [(1, 11), (11, 1), ("1", 11), (1, "11"), (111,), ("1,11",)]}

    assert len(seeds) == 6


def test_a_seed_is_what_it_was_in_the_first_version() -> None:
    head = hashlib.sha256(b'[0,"distill"]').digest()[:8]

    assert seed_of((0, "distill")) == int.from_bytes(head, "big") >> 1 == 7975045794416267593


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()

    torch.rand(4, generator=generator("any", 1))

    assert torch.get_rng_state().equal(before)
