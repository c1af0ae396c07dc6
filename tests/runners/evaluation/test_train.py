from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ddspec.spec.augmentation import DsaSpec, NoAugmentationSpec, SgdSpec, StepDecaySpec
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.network import ConvNetSpec
from ddspec_runners.augment.make import make_policy
from ddspec_runners.evaluation.examples import Resident
from ddspec_runners.evaluation.train import Trained, Training
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.site import Site, StopRequested

CLASSES, SIZE = 3, 8
NETWORK = ConvNetSpec(kind="convnet", depth=2, width=4)


def examples(n: int, dtype: torch.dtype = torch.float64) -> Resident:
    rng = generator("examples", n)
    labels = torch.arange(n) % CLASSES
    noise = torch.randn(n, 1, SIZE, SIZE, generator=rng, dtype=torch.float64)
    return Resident((noise + labels.view(-1, 1, 1, 1)).to(dtype), labels)


def training(
    protocol: ProtocolSpec,
    *,
    n: int = 10,
    dtype: torch.dtype = torch.float64,
    norm: str = "instance",
) -> Training:
    spec = NETWORK.model_copy(update={"norm": norm})
    return Training(
        network=make_network(spec, channels=1, size=SIZE, classes=CLASSES),
        examples=examples(n, dtype),
        protocol=protocol,
        policy=make_policy(protocol.augmentation),
        seed=(7, "evaluate", "distilled", "convnet2", 0),
        dtype=dtype,
    )


def site(tmp_path: Path, name: str = "site") -> Site:
    output, scratch = tmp_path / f"{name}-output", tmp_path / f"{name}-scratch"
    output.mkdir(exist_ok=True)
    scratch.mkdir(exist_ok=True)
    return Site(key="0" * 64, inputs={}, output=output, scratch=scratch)


def oracle_network(params: Mapping[str, Tensor]) -> nn.Sequential:
    """The same ConvNet made of modules, with the given values."""
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.GroupNorm(4, 4),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.GroupNorm(4, 4),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, CLASSES),
    ).double()
    with torch.no_grad():
        for mine, theirs in zip(net.parameters(), params.values(), strict=True):
            mine.copy_(theirs)
    return net


def oracle(task: Training, epochs: int) -> tuple[list[Tensor], list[float]]:
    """Train with torch's own modules, optimiser and scheduler; return parameters and losses."""
    protocol, data = task.protocol, task.examples
    net = oracle_network(task.network.init(generator(*task.seed, "network")))
    optimizer = torch.optim.SGD(
        net.parameters(),
        lr=protocol.optimizer.learning_rate,
        momentum=protocol.optimizer.momentum,
        weight_decay=protocol.optimizer.weight_decay,
    )
    milestones = [int(f * epochs + 1e-9) for f in protocol.decay.at]
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones, protocol.decay.factor)
    losses = []
    for epoch in range(epochs):
        order = torch.randperm(len(data), generator=generator(*task.seed, "batches", epoch))
        for indices in torch.split(order, protocol.batch):
            images, labels = data.batch(indices)
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(images), labels)
            torch.autograd.backward(loss)
            optimizer.step()
            losses.append(loss.item())
        scheduler.step()
    return [p.detach() for p in net.parameters()], losses


def test_training_is_what_torch_does_with_modules_and_its_optimiser(tmp_path: Path) -> None:
    protocol = ProtocolSpec(
        name="short",
        epochs=12,
        batch=4,
        optimizer=SgdSpec(learning_rate=0.05, momentum=0.9, weight_decay=5e-3),
        decay=StepDecaySpec(factor=0.2, at=(2 / 3, 5 / 6)),
    )
    task = training(protocol)

    found = task.run(site(tmp_path))

    params, losses = oracle(task, 12)
    assert found.steps == 36
    assert found.stride == 1
    # float64; both sides round differently in some 10^3 operations a step over 36 steps
    torch.testing.assert_close(list(found.params.values()), params, rtol=1e-9, atol=1e-11)
    assert found.curve.tolist() == pytest.approx(losses, rel=1e-9)


def test_a_protocol_by_steps_walks_the_same_batches(tmp_path: Path) -> None:
    epochs = ProtocolSpec(name="epochs", epochs=5, batch=4, decay=StepDecaySpec(at=()))
    steps = epochs.model_copy(update={"epochs": None, "steps": 15})

    by_epochs, by_steps = (
        training(protocol).run(site(tmp_path, protocol.name + str(protocol.steps)))
        for protocol in (epochs, steps)
    )

    assert_same(by_epochs, by_steps)


def assert_same(a: Trained, b: Trained) -> None:
    assert list(a.params) == list(b.params)
    for name in a.params:
        assert a.params[name].equal(b.params[name]), name
    for name in a.buffers:
        assert a.buffers[name].equal(b.buffers[name]), name
    assert a.curve.equal(b.curve)


@pytest.mark.parametrize(
    ("n", "batch", "steps_an_epoch"),
    [
        pytest.param(10, 4, 3, id="last-batch-kept"),
        pytest.param(8, 4, 2, id="even"),
        pytest.param(3, 64, 1, id="set-smaller-than-a-batch"),
    ],
)
def test_epochs_count_every_image(n: int, batch: int, steps_an_epoch: int) -> None:
    task = training(ProtocolSpec(name="any", epochs=7, batch=batch), n=n)

    assert task.steps == 7 * steps_an_epoch


def test_the_rate_falls_between_epochs_only() -> None:
    protocol = ProtocolSpec(
        name="any", epochs=6, batch=4, decay=StepDecaySpec(factor=0.5, at=(0.5,))
    )
    task = training(protocol)

    rates = [task.learning_rate(step) for step in range(task.steps)]

    assert rates == [0.01] * 9 + [0.005] * 9


@pytest.mark.parametrize(
    ("epochs", "steps"),
    [
        pytest.param(None, None, id="neither"),
        pytest.param(3, 3, id="both"),
        pytest.param("idc_by_size", None, id="unresolved"),
    ],
)
def test_an_open_length_is_a_bad_job(epochs: int | None, steps: int | None) -> None:
    protocol = ProtocolSpec(name="any").model_copy(update={"epochs": epochs, "steps": steps})

    with pytest.raises(BadJob, match="a number of epochs, or of steps"):
        _ = training(protocol).steps


AUGMENTED = ProtocolSpec(
    name="augmented", steps=12, batch=4, augmentation=DsaSpec(kind="dsa"), cutmix=0.5
)


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("stop_at", [1, 5, 11])
def test_a_training_that_was_stopped_ends_with_the_same_bits(
    tmp_path: Path, norm: str, stop_at: int
) -> None:
    task = training(AUGMENTED, dtype=torch.float32, norm=norm)
    whole = task.run(site(tmp_path, "whole"))
    stopped = site(tmp_path, "stopped")
    looks = iter([False] * (stop_at - 1) + [True] * 12)
    stopped.stopping = lambda: next(looks)

    with pytest.raises(StopRequested):
        task.run(stopped)
    again = site(tmp_path, "stopped")
    done: list[int] = []
    again.emit = lambda step, *_: done.append(step)

    assert_same(task.run(again), whole)
    assert done[-1] == 12


def test_augmentation_and_cutmix_have_a_seed_path_and_an_effect(tmp_path: Path) -> None:
    plain = AUGMENTED.model_copy(update={"augmentation": NoAugmentationSpec(), "cutmix": 0.0})
    augmented = training(AUGMENTED).run(site(tmp_path, "a"))
    again = training(AUGMENTED).run(site(tmp_path, "b"))
    other_seed = replace(training(AUGMENTED), seed=(8,)).run(site(tmp_path, "c"))
    unaugmented = training(plain).run(site(tmp_path, "d"))

    assert_same(augmented, again)
    assert not augmented.curve.equal(other_seed.curve)
    assert not augmented.curve.equal(unaugmented.curve)


def test_a_long_training_keeps_a_short_curve(tmp_path: Path) -> None:
    protocol = ProtocolSpec(name="long", steps=401, batch=2)

    found = training(protocol, n=2, dtype=torch.float32).run(site(tmp_path))

    assert found.stride == 3
    assert len(found.curve) == 134
    assert found.curve[-1] < found.curve[0]


def test_running_statistics_have_the_precision_of_the_work(tmp_path: Path) -> None:
    protocol = ProtocolSpec(name="brief", steps=3, batch=4)

    found = training(protocol, norm="batch").run(site(tmp_path))

    assert found.buffers
    assert {buffer.dtype for buffer in found.buffers.values()} == {torch.float64}
