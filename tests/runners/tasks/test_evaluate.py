from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.method import MultiFormationSpec, PixelsSpec
from ddspec.spec.network import ConvNetSpec
from ddspec.wire.work import ClassRange, EvaluateWork
from ddspec_runners.artifacts import labels_of, read_synthetic_set, write_synthetic_set
from ddspec_runners.augment.make import make_policy
from ddspec_runners.card import Card, Provenance, make_card
from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.data.whitening import Whitening
from ddspec_runners.evaluation.examples import Resident
from ddspec_runners.evaluation.train import Training
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.nets.make import make_network
from ddspec_runners.site import Site
from ddspec_runners.tasks import evaluate

CLASSES = ("dark", "bright")


def write_split(
    folder: Path, counts: tuple[int, ...] = (30, 20), **changes: object
) -> PreparedSplit:
    """Two classes that brightness tells apart."""
    folder.mkdir()
    rng = np.random.Generator(np.random.PCG64(sum(counts)))
    levels = np.repeat(np.array([60, 180]), counts).reshape(-1, 1, 1, 1)
    channels = changes.get("channels", 1)
    images = levels + rng.integers(-50, 51, (sum(counts), channels, 4, 4))
    card = DatasetCard(
        name="shades",
        split="test",
        content="0" * 64,
        classes=CLASSES,
        counts=counts,
        size=4,
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        test_split="made up",
    ).model_copy(update=changes)
    np.save(folder / "images.npy", images.astype(np.uint8))
    np.save(folder / "labels.npy", np.repeat(np.arange(2), counts))
    (folder / "dataset.json").write_text(card.model_dump_json())
    return PreparedSplit.open(folder)


def write_set(folder: Path, test: PreparedSplit, **changes: object) -> Card:
    """One image a class: the brightness that the class has."""
    folder.mkdir()
    card = make_card(
        test.card,
        parameterization=PixelsSpec(),
        images_per_class=1,
        provenance=Provenance(key="1" * 64, kind="distill", seed=(0,)),
    ).model_copy(update=changes)
    rng = torch.Generator().manual_seed(0)
    images = torch.rand(2, 1, 1, 4, 4, generator=rng) * 0.2
    images += torch.tensor([0.1, 0.7]).view(2, 1, 1, 1, 1)
    images = images[card.covers.start : card.covers.stop]
    eps = card.parameterization.zca_eps
    whitening = None if eps is None else Whitening.fit(test, eps)
    write_synthetic_set(folder, images, labels_of(card), card, whitening)
    return card


def site(tmp_path: Path, name: str = "evaluate", trained_on: str = "set") -> Site:
    output, scratch = tmp_path / name, tmp_path / f"{name}-scratch"
    output.mkdir()
    scratch.mkdir()
    inputs = {"set": tmp_path / trained_on, "test": tmp_path / "test"}
    return Site(key="2" * 64, inputs=inputs, output=output, scratch=scratch)


def work(**changes: object) -> EvaluateWork:
    base = EvaluateWork(
        # without a norm, because instance norm removes the brightness that is to be learned
        network=ConvNetSpec(kind="convnet", depth=1, width=4, norm="none"),
        protocol=ProtocolSpec(name="short", steps=100, batch=8),
        seed=(0, "evaluate", "distilled", "convnet1", 0),
        precision="float32",
    )
    return base.model_copy(update=changes)


def test_a_telling_set_teaches_its_classes(tmp_path: Path) -> None:
    test = write_split(tmp_path / "test")
    write_set(tmp_path / "set", test)
    at = site(tmp_path)

    found = evaluate.run(work(), at)

    assert found["accuracy"] == 1.0
    assert found["steps"] == 100
    assert found["set_images"] == 2
    written = json.loads((at.output / "metrics.json").read_text())
    assert written["confusion"] == [[30, 0], [0, 20]]
    assert written["per_class"] == {"dark": 1.0, "bright": 1.0}
    assert written["test_images"] == 50
    assert written["protocol"] == "short"
    assert written["network"] == "convnet1-w4-none"
    assert written["training_loss"][0][0] == 0
    assert written["training_loss"][-1][1] < written["training_loss"][0][1]


def test_the_same_work_gives_the_same_bytes(tmp_path: Path) -> None:
    write_set(tmp_path / "set", write_split(tmp_path / "test"))

    for name in ("first", "second"):
        evaluate.run(work(), site(tmp_path, name))

    first, second = (tmp_path / name / "metrics.json" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()


def test_real_images_are_trained_on_directly(tmp_path: Path) -> None:
    write_split(tmp_path / "test")
    write_split(tmp_path / "train", (40, 41))

    found = evaluate.run(work(on_real=True), site(tmp_path, trained_on="train"))

    assert found["set_images"] == 81
    assert found["accuracy"] == 1.0


def test_images_read_batch_by_batch_train_the_same_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_split(tmp_path / "test")
    write_split(tmp_path / "train", (40, 41))
    resident = evaluate.run(work(on_real=True), site(tmp_path, "resident", "train"))

    monkeypatch.setattr("ddspec_runners.evaluation.examples.RESIDENT_BYTES", 0)
    mapped = evaluate.run(work(on_real=True), site(tmp_path, "mapped", "train"))

    assert mapped == resident


def test_every_view_of_a_multi_formation_set_is_trained_on(tmp_path: Path) -> None:
    test = write_split(tmp_path / "test")
    write_set(
        tmp_path / "set",
        test,
        parameterization=MultiFormationSpec(kind="multi_formation", factor=2),
    )

    found = evaluate.run(work(), site(tmp_path))

    assert found["set_images"] == 8


def test_a_training_that_diverges_is_reported_without_a_loss(tmp_path: Path) -> None:
    write_set(tmp_path / "set", write_split(tmp_path / "test"))
    protocol = work().protocol
    wild = protocol.optimizer.model_copy(update={"learning_rate": 1e30})
    at = site(tmp_path)

    found = evaluate.run(work(protocol=protocol.model_copy(update={"optimizer": wild})), at)

    assert found["loss"] is None
    assert json.loads((at.output / "metrics.json").read_text())["training_loss"][-1][1] is None


def test_a_shard_is_not_evaluated(tmp_path: Path) -> None:
    test = write_split(tmp_path / "test")
    write_set(tmp_path / "set", test, covers=ClassRange(start=1, stop=2, of=2))

    with pytest.raises(BadJob, match="before it is merged"):
        evaluate.run(work(), site(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"classes": ("bright", "dark")}, "another order", id="class-order"),
        pytest.param({"mean": (0.4,)}, "normalised by other values", id="mean"),
    ],
)
def test_a_set_of_another_task_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    write_set(tmp_path / "set", write_split(tmp_path / "test"), **changes)

    with pytest.raises(BadJob, match=message):
        evaluate.run(work(), site(tmp_path))


def test_an_empty_test_split_is_bad_data(tmp_path: Path) -> None:
    write_set(tmp_path / "set", write_split(tmp_path / "test"))
    (tmp_path / "full").mkdir()
    empty = site(tmp_path)
    write_split(tmp_path / "none", (0, 0))
    empty.inputs = {"set": tmp_path / "set", "test": tmp_path / "none"}

    with pytest.raises(BadData, match="empty"):
        evaluate.run(work(), empty)


def whitened(train: PreparedSplit, images: np.ndarray, eps: float) -> torch.Tensor:
    """Whiten pixels in [0, 1] by the covariance of a training split, over N - 1."""
    known = train.images.reshape(len(train), -1) / 255
    centre = known.mean(0)
    values, vectors = np.linalg.eigh(np.cov(known, rowvar=False))
    matrix = vectors @ np.diag(1 / np.sqrt(values + eps)) @ vectors.T
    rows = (images.reshape(len(images), -1) / 255 - centre) @ matrix
    return torch.from_numpy(rows.reshape(images.shape))


def test_a_protocol_that_whitens_trains_and_tests_on_whitened_images(tmp_path: Path) -> None:
    train, test = write_split(tmp_path / "train", (12, 13)), write_split(tmp_path / "test")
    protocol = ProtocolSpec(name="white", steps=20, batch=8, zca=0.1)
    asked = work(on_real=True, protocol=protocol, precision="float64")
    at = site(tmp_path, trained_on="train")
    at.inputs = {**at.inputs, "train": tmp_path / "train"}

    found = evaluate.run(asked, at)

    network = make_network(asked.network, channels=1, size=4, classes=2)
    examples = Resident(whitened(train, train.images, 0.1), train.labels)
    alone = Training(
        network, examples, protocol, make_policy(protocol.augmentation), asked.seed, torch.float64
    ).run(site(tmp_path, "alone"))
    logits = network.predict(alone.params, alone.buffers, whitened(train, test.images, 0.1))
    loss = torch.nn.functional.cross_entropy(logits, test.labels).item()
    # float64: an eigendecomposition of 16 x 16 with eigenvalues above 0.1, then 20 steps
    assert found["loss"] == pytest.approx(loss, abs=1e-9)


def test_a_whitened_set_is_not_judged_on_images_that_are_not(tmp_path: Path) -> None:
    test = write_split(tmp_path / "test")
    write_set(tmp_path / "set", test, parameterization=PixelsSpec(space="zca", zca_eps=0.1))

    with pytest.raises(BadJob, match="does not whiten"):
        evaluate.run(work(), site(tmp_path))


def test_a_whitened_set_is_trained_on_as_it_was_learned(tmp_path: Path) -> None:
    train, test = write_split(tmp_path / "train", (12, 13)), write_split(tmp_path / "test")
    write_set(tmp_path / "set", train, parameterization=PixelsSpec(space="zca", zca_eps=0.1))
    protocol = ProtocolSpec(name="white", steps=3, batch=8, zca=0.1)
    asked = work(protocol=protocol, precision="float64")
    at = site(tmp_path)
    at.inputs = {**at.inputs, "train": tmp_path / "train"}

    found = evaluate.run(asked, at)

    network = make_network(asked.network, channels=1, size=4, classes=2)
    stored = read_synthetic_set(tmp_path / "set")
    examples = Resident(stored.images.double().flatten(0, 1), stored.labels.flatten())
    alone = Training(
        network, examples, protocol, make_policy(protocol.augmentation), asked.seed, torch.float64
    ).run(site(tmp_path, "alone"))
    logits = network.predict(alone.params, alone.buffers, whitened(train, test.images, 0.1))
    loss = torch.nn.functional.cross_entropy(logits, test.labels).item()
    # float64: an eigendecomposition of 16 x 16 with eigenvalues above 0.1
    assert found["loss"] == pytest.approx(loss, abs=1e-9)


def test_the_best_network_on_validation_is_tested_besides_the_last(tmp_path: Path) -> None:
    write_set(tmp_path / "set", write_split(tmp_path / "test"))
    write_split(tmp_path / "validation", (9, 9))
    blind = evaluate.run(work(), site(tmp_path, "blind"))
    at = site(tmp_path, "looking")
    at.inputs = {**at.inputs, "validation": tmp_path / "validation"}

    found = evaluate.run(work(best_on_validation=4), at)

    assert {name: found[name] for name in blind} == dict(blind)
    best = found["best_on_validation"]
    assert isinstance(best, dict)
    assert best["step"] in (25, 50, 75, 100)
    assert best["validation_accuracy"] == 1.0
    assert best["accuracy"] == 1.0


def test_an_empty_validation_split_is_bad_data(tmp_path: Path) -> None:
    write_set(tmp_path / "set", write_split(tmp_path / "test"))
    write_split(tmp_path / "validation", (0, 0))
    at = site(tmp_path)
    at.inputs = {**at.inputs, "validation": tmp_path / "validation"}

    with pytest.raises(BadData, match="the validation split is empty"):
        evaluate.run(work(best_on_validation=1), at)


@pytest.mark.parametrize("resident", [True, False], ids=["resident", "mapped"])
@pytest.mark.parametrize("name", PROTOCOLS)
def test_the_whole_training_split_goes_by_every_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, resident: bool
) -> None:
    """All but what needs soft labels or a learned rate, which no real image has."""
    colours = {"channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}
    write_split(tmp_path / "test", **colours)
    write_split(tmp_path / "train", (7, 9), **colours)
    if not resident:
        monkeypatch.setattr("ddspec_runners.evaluation.examples.RESIDENT_BYTES", 0)
    brief = {"epochs": None, "steps": 2, "batch": 6, "teaching": None, "learned_rate": None}
    protocol = PROTOCOLS[name]().model_copy(update=brief)
    at = site(tmp_path, trained_on="train")
    at.inputs = {**at.inputs, "train": tmp_path / "train"}

    found = evaluate.run(work(on_real=True, protocol=protocol), at)

    assert found["set_images"] == 16
    assert found["steps"] == 2
    assert found["loss"] is not None
