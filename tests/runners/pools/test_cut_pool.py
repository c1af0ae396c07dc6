"""Networks that have lost channels are read as such, and no other ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ddspec.spec.network import ConvNetSpec
from ddspec_runners.artifacts import write_tensors
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.make import make_network
from ddspec_runners.pools.recorded import CUT, RecordedPool
from ddspec_runners.rng import generator

SPEC = ConvNetSpec(kind="convnet", depth=2, width=4, norm="batch")
NETWORK = make_network(SPEC, channels=3, size=8, classes=3)
LEFT = 3


def cut() -> dict[str, Tensor]:
    """Return a network whose second block has lost a channel, and so has the classifier 4."""
    whole = {**NETWORK.init(generator(1)), **NETWORK.buffers()}
    block = {name: tensor[:LEFT] for name, tensor in whole.items() if name.startswith("block1.")}
    classifier = whole["classifier.weight"][:, : LEFT * 4]
    return {**whole, **block, "classifier.weight": classifier}


def pool(folder: Path) -> RecordedPool:
    return RecordedPool.open([folder], NETWORK, dtype=torch.float64, device=torch.device("cpu"))


def test_a_cut_network_is_read_and_runs_as_the_whole_one_would(tmp_path: Path) -> None:
    write_tensors(tmp_path / "network.safetensors", cut(), CUT)

    snapshot = pool(tmp_path).member(0)

    assert snapshot.params["block1.conv.weight"].shape == (LEFT, 4, 3, 3)
    assert snapshot.buffers["block1.norm.running_mean"].shape == (LEFT,)
    logits = NETWORK.apply(snapshot.params, torch.ones(2, 3, 8, 8, dtype=torch.float64))
    assert logits.shape == (2, 3)


@pytest.mark.parametrize(
    ("changes", "metadata"),
    [
        pytest.param({}, None, id="not said to be cut"),
        pytest.param({"block0.conv.bias": torch.zeros(5)}, CUT, id="larger"),
        pytest.param({"block0.conv.bias": torch.zeros(4, 1)}, CUT, id="more dimensions"),
        pytest.param({"block0.conv.bias": torch.zeros(0)}, CUT, id="nothing left"),
    ],
)
def test_what_is_no_cut_network_is_refused(
    tmp_path: Path, changes: Mapping[str, Tensor], metadata: Mapping[str, str] | None
) -> None:
    write_tensors(tmp_path / "network.safetensors", {**cut(), **changes}, metadata)

    with pytest.raises(BadJob, match="holds another network"):
        pool(tmp_path).member(0)
