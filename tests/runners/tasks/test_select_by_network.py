"""Sets that a trained network chooses: real images of their class, whatever machine chooses."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from ddspec.spec.method import PixelsSpec
from ddspec.spec.network import ConvNetSpec
from ddspec.wire.work import (
    ForgettingSelection,
    HerdingSelection,
    KCenterSelection,
    Selection,
    SelectWork,
)
from ddspec_runners.abilities import ABLE
from ddspec_runners.artifacts import (
    SyntheticSet,
    read_synthetic_set,
    read_tensors,
    write_tensors,
)
from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.faults import BadData, BadJob, Diverged
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.selection import trained
from ddspec_runners.selection.forgetting import EVENTS, NEVER
from ddspec_runners.selection.herding import herding
from ddspec_runners.selection.k_center import k_center
from ddspec_runners.site import Site, StopRequested
from ddspec_runners.tasks import select

COUNTS = (12, 20, 15)
STARTS = (0, 12, 32)
NETWORK = ConvNetSpec(kind="convnet", depth=2, width=4, norm="batch")
HERDING = HerdingSelection(network=NETWORK)
K_CENTER = KCenterSelection(network=NETWORK)
BY_FEATURES = pytest.mark.parametrize(
    ("selection", "choose"),
    [
        pytest.param(HERDING, herding, id="herding"),
        pytest.param(K_CENTER, k_center, id="k-center"),
    ],
)
EVERY = pytest.mark.parametrize(
    "selection", [HERDING, K_CENTER, ForgettingSelection()], ids=lambda one: one.kind
)


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    """A split of noise, and a network with its events, both made up."""
    folders = {name: tmp_path / name for name in ("train", "network")}
    for folder in folders.values():
        folder.mkdir()
    _write_split(folders["train"])
    network = make_network(NETWORK, channels=1, size=8, classes=3)
    params = {n: p.double() for n, p in network.init(generator("network")).items()}
    rng = generator("buffers")
    buffers = {
        name: torch.rand(value.shape, generator=rng, dtype=torch.float64) + 0.5
        if value.is_floating_point()
        else value
        for name, value in network.buffers().items()
    }
    write_tensors(folders["network"] / "network.safetensors", {**params, **buffers})
    images, rng = sum(COUNTS), generator("events")
    events = {
        "forgotten": torch.randint(0, 3, (images,), generator=rng),
        "learned": torch.randint(NEVER, 3, (images,), generator=rng),
    }
    write_tensors(folders["network"] / EVENTS, events)
    return folders


def _write_split(folder: Path) -> None:
    card = DatasetCard(
        name="noise",
        split="train",
        content="3" * 64,
        classes=("a", "b", "c"),
        counts=COUNTS,
        size=8,
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        test_split="made up",
    )
    rng = np.random.default_rng(5)
    np.save(folder / "images.npy", rng.integers(0, 256, (sum(COUNTS), 1, 8, 8), dtype=np.uint8))
    np.save(folder / "labels.npy", np.repeat(np.arange(3), COUNTS))
    (folder / "dataset.json").write_text(card.model_dump_json())


def work(selection: Any, images_per_class: int = 4, seed: int = 0) -> SelectWork:
    return SelectWork(
        selection=selection, images_per_class=images_per_class, seed=(seed, "select", "x")
    )


def chosen(
    inputs: dict[str, Path],
    asked: SelectWork,
    name: str = "select",
    stopping: Callable[[], bool] = lambda: False,
) -> SyntheticSet:
    output = inputs["train"].with_name(name)
    output.mkdir(exist_ok=True)
    select.run(
        asked, Site(key="4" * 64, inputs=inputs, output=output, scratch=output, stopping=stopping)
    )
    return read_synthetic_set(output)


def rows_of(found: SyntheticSet, train: PreparedSplit) -> list[list[int]]:
    """Return which training images a set holds, class by class."""
    every = train.pixels(slice(0, len(train))).flatten(1)
    return [
        [int((every == image.flatten()).all(1).nonzero()) for image in images]
        for images in found.images
    ]


@BY_FEATURES
def test_features_of_a_class_choose_its_images(
    inputs: dict[str, Path], selection: Any, choose: Callable[[Tensor, int], Tensor]
) -> None:
    train = PreparedSplit.open(inputs["train"])
    network = make_network(NETWORK, channels=1, size=8, classes=3)
    opened = trained.TrainedNetwork.open(inputs["network"], network, torch.device("cpu"))

    found = chosen(inputs, work(selection))

    images = train.gather(slice(0, len(train)), dtype=torch.float64)
    features = network.features(opened.params, opened.buffers, images)
    expected = [
        (choose(features[start : start + count], 4) + start).tolist()
        for start, count in zip(STARTS, COUNTS, strict=True)
    ]
    assert rows_of(found, train) == expected
    assert found.labels.tolist() == [[0] * 4, [1] * 4, [2] * 4]
    assert found.card.parameterization == PixelsSpec()
    assert found.images.dtype == torch.float32


def test_events_choose_what_was_never_learned_and_then_what_was_forgotten_most(
    inputs: dict[str, Path],
) -> None:
    train = PreparedSplit.open(inputs["train"])
    events = select.read_events(inputs["network"], len(train))
    times = torch.where(events[1] == NEVER, 99, events[0])

    rows = rows_of(chosen(inputs, work(ForgettingSelection(), 6)), train)

    for row, start, count in zip(rows, STARTS, COUNTS, strict=True):
        assert len(set(row)) == 6
        assert all(start <= i < start + count for i in row)
        best = times[start : start + count].sort(descending=True).values[:6]
        assert times[row].equal(best)


@EVERY
def test_fewer_images_are_the_first_of_more(inputs: dict[str, Path], selection: Any) -> None:
    few = chosen(inputs, work(selection, 3), "few").images
    many = chosen(inputs, work(selection, 12), "many").images

    assert few.equal(many[:, :3])


def test_the_seed_breaks_ties_of_forgetting_alone(inputs: dict[str, Path]) -> None:
    def same(selection: Any) -> bool:
        one, other = (
            chosen(inputs, work(selection, 4, seed), f"{selection.kind}{seed}").images
            for seed in (0, 1)
        )
        return one.equal(other)

    assert same(HERDING)
    assert same(K_CENTER)
    assert not same(ForgettingSelection())


@EVERY
def test_a_choice_that_was_stopped_goes_on(inputs: dict[str, Path], selection: Any) -> None:
    whole = chosen(inputs, work(selection), "whole").images
    with pytest.raises(StopRequested):
        chosen(inputs, work(selection), "stopped", stopping=lambda: True)

    assert (inputs["train"].with_name("stopped") / "checkpoint.safetensors").is_file()
    assert chosen(inputs, work(selection), "stopped").images.equal(whole)


@BY_FEATURES
def test_features_are_seen_one_image_at_a_time(
    inputs: dict[str, Path], selection: Any, choose: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batch norm uses running statistics: what else is in a batch changes nothing."""
    whole = chosen(inputs, work(selection), "whole").images

    monkeypatch.setattr(trained, "BATCH", 3)

    assert chosen(inputs, work(selection), "parts").images.equal(whole)


@EVERY
def test_a_class_with_too_few_images_is_named(inputs: dict[str, Path], selection: Any) -> None:
    with pytest.raises(BadJob, match="class `a` has 12 training images, 13 are to be chosen"):
        chosen(inputs, work(selection, 13))


def test_another_network_is_refused(inputs: dict[str, Path]) -> None:
    wider = HerdingSelection(network=NETWORK.model_copy(update={"width": 8}))

    with pytest.raises(BadJob, match=r"holds another network: block0\.conv\.weight"):
        chosen(inputs, work(wider))


@EVERY
def test_a_network_that_is_not_there_is_told(inputs: dict[str, Path], selection: Any) -> None:
    for file in inputs["network"].iterdir():
        file.write_bytes(b"damaged")

    with pytest.raises(BadData, match="cannot be read as safetensors"):
        chosen(inputs, work(selection))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(torch.int64, id="whole numbers"),
        pytest.param(torch.bool, id="truth values"),
        pytest.param(torch.complex64, id="complex numbers"),
    ],
)
def test_a_network_of_other_numbers_is_refused(inputs: dict[str, Path], kind: torch.dtype) -> None:
    _rewrite(inputs["network"] / "network.safetensors", lambda one: one.to(kind))

    with pytest.raises(BadJob, match="of another shape or kind of number"):
        chosen(inputs, work(HERDING))


@BY_FEATURES
def test_a_network_that_diverged_chooses_nothing(
    inputs: dict[str, Path], selection: Any, choose: object
) -> None:
    _rewrite(inputs["network"] / "network.safetensors", lambda one: one * math.nan)

    with pytest.raises(Diverged, match="features of the network are not finite"):
        chosen(inputs, work(selection))


@pytest.mark.parametrize("kind", [torch.float64, torch.uint8, torch.complex64], ids=str)
def test_events_of_other_numbers_are_refused(inputs: dict[str, Path], kind: torch.dtype) -> None:
    _rewrite(inputs["network"] / EVENTS, lambda one: one.to(kind))

    with pytest.raises(BadJob, match="holds no `forgotten` of 47 training images"):
        chosen(inputs, work(ForgettingSelection()))


def _rewrite(path: Path, change: Callable[[Tensor], Tensor]) -> None:
    tensors, _ = read_tensors(path)
    write_tensors(path, {name: change(one) for name, one in tensors.items()})


def test_every_way_to_choose_is_there() -> None:
    kinds = TypeAdapter(Selection).json_schema()["discriminator"]["mapping"]

    assert ABLE["selection"] == set(kinds)
