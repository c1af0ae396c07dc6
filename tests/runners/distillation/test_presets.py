"""The first inner steps of every preset, as published, against the loops written out plainly."""

from __future__ import annotations

from typing import Any

import pytest
from plain_distillation import Plain
from shrunk_presets import BUDGET, shrunk
from torch import Tensor

from ddspec.wire.work import DistillWork

MODELS = """pool: {kind: recorded, models: 5, epochs: 2}
perturbation:
  kind: filter_gaussian
  directions: 2
  coefficient: {law: uniform_signed, low: 0.01, high: 0.09}
"""
PATCHES = """parameterization: {kind: multi_formation, factor: 2, space: pixel}
init: {kind: mix}
augmentation: {cutmix: 0.5}
"""

PRESETS = {
    "DC": "preset: dc",
    "DSA": "preset: dsa",
    "IDC": "preset: idc",
    "DSA with batch norm": "preset: dsa\nnetwork: {norm: batch}",
    "IDC on a subset of its views": "preset: idc\nmatcher: {max_views: 5}",
    "IDC-I": "preset: {name: idc, variant: idc-i}",
    "Acc-DD": "preset: acc_dd",
    # the paper's Fig. 7: models of Acc-DD instead of fresh ones
    "DC on augmented models": f"preset: dc\n{MODELS}",
    "DSA on augmented models": f"preset: dsa\n{MODELS}",
    "DSA in patches, with CutMix": f"preset: dsa\n{PATCHES}",
}


def expected(bench: Any, work: DistillWork) -> tuple[Tensor, Tensor, list[float]]:
    """Return images before and after all outer loops, and the mean loss of each."""
    plain = Plain(work, bench.inputs)
    loops = list(plain.outer_loops())
    shape = (-1, BUDGET, *loops[0][0].shape[1:])
    return plain.start().view(shape), loops[-1][0].view(shape), [loss for _, loss in loops]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_the_first_steps_of_a_preset_are_those_of_the_plain_loops(bench: Any, preset: str) -> None:
    work = shrunk(bench, preset)
    start, images, losses = expected(bench, work)
    outcome = bench.run("task", work)

    # Two orders of summation in float64 are 1e-15 apart a term, and ten steps do not multiply it
    # by more than ten or so: they were 3e-16 apart at most.
    assert (images - start).abs().max() > 1e-2
    assert (outcome.images - images).abs().max() < 1e-8
    assert outcome.losses == pytest.approx(losses, rel=1e-8)


@pytest.mark.parametrize("name", ["DSA", "Acc-DD"])
def test_float32_drifts_from_float64_by_millionths_in_the_first_steps(
    bench: Any, name: str
) -> None:
    """Ten steps of these works were 1e-6 (DC) to 8e-6 (IDC-I) of the movement apart.

    At width 128 a flipped ReLU is enough for 6e-4 (IDC) or 7e-4 (DSA) within two steps, between
    the official code and ours as between any two orders of summation.
    """
    start, images, _ = expected(bench, shrunk(bench, PRESETS[name]))
    outcome = bench.run("task", shrunk(bench, PRESETS[name], precision="float32"))

    moved = (images - start).abs().max()
    assert 0 < (outcome.images.double() - images).abs().max() < 1e-4 * moved
