"""Numbers of revision 1: whoever moves them raises the revision of the work.

They are float64; versions and machines differ by some 1e-13, and 9 digits are compared.
"""

from __future__ import annotations

from typing import Any

import pytest
from safetensors.torch import load_file

AUGMENTED = {
    "matching_augmentation": {"kind": "idc", "operations": ["color", "crop", "cutout"]},
    "training_augmentation": {"kind": "dsa"},
}


def test_distillation_gives_the_numbers_of_revision_1(bench: Any) -> None:
    work = bench.work(**AUGMENTED)
    outcome = bench.run("golden", work)

    assert work.revision == 1
    assert outcome.losses == pytest.approx([3.18963561, 4.15852756], rel=2e-9)
    assert outcome.images.mean().item() == pytest.approx(0.450957364, rel=2e-9)
    assert outcome.images.std().item() == pytest.approx(0.209700382, rel=4e-9)
    assert outcome.velocity.abs().mean().item() == pytest.approx(0.0694976127, rel=2e-9)


def test_recording_gives_the_numbers_of_revision_1(bench: Any) -> None:
    member = load_file(bench.inputs["pool/1"] / "network.safetensors")
    sums = {name: member[name].abs().sum().item() for name in member}

    assert sums["block0.conv.weight"] == pytest.approx(10.2708494, rel=1e-8)
    assert sums["block1.conv.weight"] == pytest.approx(11.5828268, rel=1e-8)
    assert sums["classifier.weight"] == pytest.approx(6.0147091, rel=1e-8)
    assert sums["block1.norm.bias"] == pytest.approx(0.0175044401, rel=1e-8)
