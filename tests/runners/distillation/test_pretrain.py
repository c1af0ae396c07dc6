"""Recording a pool member: against plain training in float64, and its resume."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ddspec.wire.work import PretrainWork
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import Diverged
from ddspec_runners.rng import generator
from ddspec_runners.site import CHECKPOINT, Site, StopRequested
from ddspec_runners.tasks import pretrain

AUGMENTED = {"augmentation": {"kind": "dsa"}, "cutmix": 0.5}


def pretraining(**changes: Any) -> PretrainWork:
    plain: dict[str, Any] = {
        "network": {"kind": "convnet", "depth": 2, "width": 4},
        "epochs": 3,
        "batch": 8,
        "optimizer": {"learning_rate": 0.05},
        "decay": {"factor": 0.2, "at": (0.5,)},
        "augmentation": {"kind": "none"},
        "cutmix": 0.0,
        "seed": (3, "pool", 0),
        "precision": "float64",
        **changes,
    }
    return PretrainWork.model_validate(plain)


class Desk:
    """Runs the task in folders of a test."""

    def __init__(self, root: Path, train: Path) -> None:
        self.root, self.train = root, train

    def run(
        self, name: str, work: PretrainWork, stop_at: int = 0
    ) -> tuple[dict[str, Tensor], Mapping[str, Any]]:
        scratch, output = self.root / name / "scratch", self.root / name / "output"
        scratch.mkdir(parents=True, exist_ok=True)
        output.mkdir(parents=True, exist_ok=True)
        asked: list[int] = []

        def stopping() -> bool:
            asked.append(1)
            return len(asked) == stop_at

        site = Site(
            key="2" * 64,
            inputs={"train": self.train},
            output=output,
            scratch=scratch,
            stopping=stopping,
        )
        metrics = pretrain.run(work, site)
        return load_file(output / "network.safetensors"), metrics


@pytest.fixture
def desk(tmp_path: Path, inputs: Mapping[str, Path]) -> Desk:
    return Desk(tmp_path, inputs["train"])


def equal(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


KINDS = ("weight", "bias", "running_mean", "running_var")
PLACES = {
    "block0.conv": 0,
    "block0.norm": 1,
    "block1.conv": 4,
    "block1.norm": 5,
    "classifier": 9,
}
NAMES = {f"{at}.{kind}": f"{name}.{kind}" for name, at in PLACES.items() for kind in KINDS}
"""Name in the plain network to name in the file."""


def plain_network(norm: str, start: Mapping[str, Tensor]) -> nn.Sequential:
    norms = [nn.GroupNorm(4, 4) if norm == "instance" else nn.BatchNorm2d(4) for _ in range(2)]
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), norms[0], nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1), norms[1], nn.ReLU(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(16, 3),
    ).double()  # fmt: skip
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(start[NAMES[name]])
    return network


def plain_training(
    network: nn.Sequential, split: PreparedSplit, seed: tuple[int | str, ...]
) -> tuple[float, float]:
    """Train for 3 epochs and return the loss and the accuracy of the last one."""
    images, labels = split.gather(slice(0, len(split)), dtype=torch.float64), split.labels
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9, weight_decay=5e-4)
    for epoch in range(3):
        # Half of 3 epochs, rounded down: the second epoch is the first at the lower rate.
        optimizer.param_groups[0]["lr"] = 0.05 if epoch < 1 else 0.01
        order = torch.randperm(len(labels), generator=generator(*seed, "batches", epoch))
        losses, correct = [], 0
        for batch in range(4):  # 33 images: the one that is left makes no batch
            chosen = order[8 * batch : 8 * batch + 8]
            logits = network(images[chosen])
            loss = nn.CrossEntropyLoss()(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            correct += int((logits.argmax(1) == labels[chosen]).sum())
    return sum(losses) / 4, correct / 32


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_training_is_that_of_a_plain_loop(desk: Desk, norm: str) -> None:
    network = {"kind": "convnet", "depth": 2, "width": 4, "norm": norm}
    work = pretraining(network=network)
    start, _ = desk.run("start", pretraining(network=network, epochs=0))
    plain = plain_network(norm, start)
    loss, accuracy = plain_training(plain, PreparedSplit.open(desk.train), work.seed)
    trained, metrics = desk.run("trained", work)

    state = {NAMES[name]: value for name, value in plain.state_dict().items() if name in NAMES}
    assert trained.keys() == state.keys()
    for name, value in trained.items():
        # float64, 12 steps: sums in another order differ by some 1e-15 each
        assert torch.allclose(value, state[name], rtol=1e-10, atol=1e-12), name
    assert metrics == {
        "epochs": 3,
        "train_loss": pytest.approx(loss, rel=1e-10),
        "train_accuracy": accuracy,
    }


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("sharpness", [None, {"rho": 0.05}], ids=["plain", "flat"])
@pytest.mark.parametrize("epochs_before_kill", [1, 2])
def test_a_killed_training_goes_on_bit_equal(
    desk: Desk, norm: str, sharpness: Any, epochs_before_kill: int
) -> None:
    network = {"kind": "convnet", "depth": 2, "width": 4, "norm": norm}
    work = pretraining(network=network, precision="float32", sharpness=sharpness, **AUGMENTED)
    whole, metrics = desk.run("whole", work)
    with pytest.raises(StopRequested):
        desk.run("torn", work, stop_at=epochs_before_kill)
    resumed, again = desk.run("torn", work)

    assert equal(resumed, whole)
    assert again == metrics


def test_checkpoints_keep_the_names_that_older_versions_read_and_wrote(desk: Desk) -> None:
    with pytest.raises(StopRequested):
        desk.run("torn", pretraining(), stop_at=1)

    held = load_file(desk.root / "torn" / "scratch" / CHECKPOINT)

    groups = {"params": 10, "momentum": 10}
    assert {g: sum(name.startswith(g + "/") for name in held) for g in groups} == groups
    assert len(held) == sum(groups.values()) + len(["record"])


def test_no_epochs_record_a_fresh_network(desk: Desk) -> None:
    recorded, metrics = desk.run("a", pretraining(epochs=0))
    other, _ = desk.run("b", pretraining(epochs=0, seed=(3, "pool", 1)))

    assert metrics == {"epochs": 0}
    assert not equal(recorded, other)


def test_fewer_epochs_are_the_first_part_of_more_without_decay(desk: Desk) -> None:
    two, _ = desk.run("two", pretraining(epochs=2, decay=None, **AUGMENTED))
    again, _ = desk.run("again", pretraining(epochs=2, decay=None, **AUGMENTED))
    three, _ = desk.run("three", pretraining(epochs=3, decay=None, **AUGMENTED))

    assert equal(two, again)
    assert not equal(two, three)


def test_a_batch_larger_than_the_split_is_the_split(desk: Desk) -> None:
    _, metrics = desk.run("a", pretraining(epochs=1, batch=1000))

    assert (metrics["train_accuracy"] * 33) == pytest.approx(round(metrics["train_accuracy"] * 33))


def test_training_learns(desk: Desk) -> None:
    _, first = desk.run("a", pretraining(epochs=1))
    _, last = desk.run("b", pretraining(epochs=20, decay=None))

    assert last["train_loss"] < 0.2 * first["train_loss"]
    assert last["train_accuracy"] > 0.9


def test_diverging_training_is_named(desk: Desk) -> None:
    with pytest.raises(Diverged, match="training diverged in epoch 1: the loss is nan"):
        desk.run("a", pretraining(optimizer={"learning_rate": 1e300}))


def test_flat_minima_are_flatter(desk: Desk) -> None:
    plain = {"epochs": 30, "decay": None, "batch": 33, "optimizer": {"learning_rate": 0.05}}
    steep, _ = desk.run("steep", pretraining(**plain))
    flat, _ = desk.run("flat", pretraining(**plain, sharpness={"rho": 1.0, "alpha": 0.4}))

    assert rise(desk, flat) < rise(desk, steep)


def rise(desk: Desk, network: Mapping[str, Tensor]) -> float:
    """Return how far the loss goes up along its gradient, by a step as long as 1."""
    split = PreparedSplit.open(desk.train)
    images, labels = split.gather(slice(0, len(split)), dtype=torch.float64), split.labels
    plain = plain_network("instance", network)
    low = nn.CrossEntropyLoss()(plain(images), labels)
    grads = torch.autograd.grad(low, list(plain.parameters()))
    length = torch.stack([grad.norm() for grad in grads]).norm()
    with torch.no_grad():
        for parameter, grad in zip(plain.parameters(), grads, strict=True):
            parameter.add_(grad / length)
        return float(nn.CrossEntropyLoss()(plain(images), labels) - low)


def test_files_in_bfloat16_are_the_training_rounded(desk: Desk) -> None:
    whole, metrics = desk.run("whole", pretraining(precision="float32"))
    half, again = desk.run("half", pretraining(precision="float32", record_precision="bfloat16"))

    assert again == metrics
    assert equal(half, {name: value.to(torch.bfloat16) for name, value in whole.items()})


def test_rounding_files_does_not_round_the_training_after_a_kill(desk: Desk) -> None:
    work = pretraining(precision="float32", record_precision="bfloat16")
    whole, metrics = desk.run("whole", work)
    with pytest.raises(StopRequested):
        desk.run("torn", work, stop_at=2)

    resumed, again = desk.run("torn", work)

    assert equal(resumed, whole)
    assert again == metrics
