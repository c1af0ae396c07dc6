"""Shards of whole presets: bit-equal to the undivided run in float32, however they are cut."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from shrunk_presets import shrunk

PRESETS = {"IDC": "preset: idc", "Acc-DD": "preset: acc_dd"}
FAST: dict[str, Any] = {"precision": "float32", "inner_steps": 2, "stop": 2}


@pytest.fixture
def five(bench: Any, five_classes: Any) -> Any:
    """Return a bench of five classes."""
    return replace(bench, inputs=five_classes)


def share(start: int, stop: int) -> dict[str, Any]:
    return {"classes": {"start": start, "stop": stop, "of": 5}}


@pytest.mark.parametrize("clock", ["shared", "per_class"])
@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_uneven_shards_in_segments_are_bit_equal_to_one_run(
    five: Any, preset: str, clock: str
) -> None:
    update = shrunk(five, preset).update.model_copy(update={"clock": clock})
    settings = {**FAST, "update": update}
    whole = five.run("whole", shrunk(five, preset, **settings))
    parts = []
    for start, stop in pairwise((0, 1, 3, 5)):
        first = shrunk(five, preset, **{**settings, "stop": 1}, **share(start, stop))
        then = shrunk(five, preset, **settings, start=1, **share(start, stop))
        before = five.run(f"{start}-to-1", first)
        parts.append(five.run(f"{start}-to-2", then, previous=before.folder))

    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert torch.equal(torch.cat([part.velocity for part in parts]), whole.velocity)
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_shards_of_dsa_at_one_step_a_loop_are_bit_equal_to_one_run(five: Any, norm: str) -> None:
    """At one image a class DC and DSA train no network, so nothing ties the classes together.

    Statistics that batch norm is frozen at are of all classes, in every shard.
    """
    settings = {**FAST, "inner_steps": 1, "stop": 3}
    preset = f"preset: dsa\nnetwork: {{norm: {norm}}}"
    whole = five.run("whole", shrunk(five, preset, **settings))
    parts = [
        five.run(f"from-{start}", shrunk(five, preset, **settings, **share(start, stop)))
        for start, stop in pairwise((0, 2, 3, 5))
    ]

    assert torch.equal(torch.cat([part.images for part in parts]), whole.images)
    assert torch.equal(torch.cat([part.velocity for part in parts]), whole.velocity)


def test_a_shard_holds_nothing_of_the_classes_before_it(five: Any) -> None:
    """The last shard of another cut is the same bits: what it holds does not depend on the cut."""
    settings = {**FAST, "stop": 1}
    wide = five.run("wide", shrunk(five, PRESETS["IDC"], **settings, **share(2, 5)))
    narrow = five.run("narrow", shrunk(five, PRESETS["IDC"], **settings, **share(4, 5)))

    assert torch.equal(wide.images[2:], narrow.images)
