"""A small set with teachers, for relabelling and for learning from soft labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.method import ParameterizationSpec, PixelsSpec
from ddspec.spec.network import ConvNetSpec
from ddspec.wire.judging import EvaluateWork, RelabelWork, Teachers
from ddspec_runners.artifacts import labels_of, write_synthetic_set, write_tensors
from ddspec_runners.card import Provenance, make_card
from ddspec_runners.data.prepared import DatasetCard, PreparedSplit
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator
from ddspec_runners.site import Site

CLASSES, SIZE, PER_CLASS = 3, 4, 3
SEED = (0, "evaluate", "distilled", "convnet1", 0)
TEACHER = ConvNetSpec(kind="convnet", depth=1, width=4, norm="batch")
STUDENT = ConvNetSpec(kind="convnet", depth=1, width=4, norm="none")
MADE = "1" * 64


def write_split(folder: Path, split: str = "test") -> PreparedSplit:
    """Write a prepared split of noise."""
    folder.mkdir(parents=True)
    rng = np.random.Generator(np.random.PCG64(len(split)))
    counts = (4,) * CLASSES
    card = DatasetCard(
        name="noise",
        split=split,
        content="0" * 64,
        classes=("a", "b", "c"),
        counts=counts,
        size=SIZE,
        channels=1,
        mean=(0.5,),
        std=(0.25,),
        test_split="made up",
    )
    images = rng.integers(0, 256, (sum(counts), 1, SIZE, SIZE))
    np.save(folder / "images.npy", images.astype(np.uint8))
    np.save(folder / "labels.npy", np.repeat(np.arange(CLASSES), counts))
    (folder / "dataset.json").write_text(card.model_dump_json())
    return PreparedSplit.open(folder)


def write_set(
    folder: Path,
    test: PreparedSplit,
    *,
    labels: str = "hard",
    rate: float | None = None,
    shape: ParameterizationSpec | None = None,
    per_class: int = PER_CLASS,
) -> None:
    """Write a synthetic set of noise, with soft labels of its own where they are not hard."""
    folder.mkdir(parents=True)
    card = make_card(
        test.card,
        parameterization=shape or PixelsSpec(),
        images_per_class=per_class,
        provenance=Provenance(key=MADE, kind="distill", seed=(0,)),
    ).model_copy(update={"labels": labels, "learned_lr": rate})
    rng = torch.Generator().manual_seed(7)
    images = torch.rand(card.shape, generator=rng)
    soft = None
    if labels != "hard":
        soft = 3 * torch.randn(CLASSES, per_class, CLASSES, generator=rng)
        soft = soft.softmax(-1) if labels == "expert" else soft
    write_synthetic_set(folder, images, labels_of(card), card, soft_labels=soft)


def write_teacher(folder: Path, seed: int, names: tuple[str, ...] = ("network",)) -> None:
    """Write the files of a teacher with running statistics of its own."""
    folder.mkdir(parents=True)
    network = make_network(TEACHER, channels=1, size=SIZE, classes=CLASSES)
    for index, name in enumerate(names):
        rng = generator("teacher", seed, index)
        params = {key: 2 * value for key, value in network.init(rng).items()}
        buffers = {
            key: torch.rand(value.shape, generator=rng) + 0.5
            if value.is_floating_point()
            else value
            for key, value in network.buffers().items()
        }
        write_tensors(folder / f"{name}.safetensors", params | buffers)


def protocol(**changes: Any) -> ProtocolSpec:
    """Return a short training on soft labels."""
    plain: dict[str, Any] = {"name": "short", "epochs": 3, "batch": 4, "decay": None}
    plain["teaching"] = {"temperature": 4.0, "squared": False}
    return ProtocolSpec.model_validate(plain | changes)


def teachers(**changes: Any) -> Teachers:
    """Return who is asked."""
    plain: dict[str, Any] = {"network": TEACHER, "average": "logits", "batch_norm": "running"}
    return Teachers.model_validate(plain | changes)


def relabel_work(by: ProtocolSpec, **changes: Any) -> RelabelWork:
    """Return the relabelling of what a training by a protocol sees."""
    base = RelabelWork(
        teachers=teachers(),
        epochs=by.epochs if isinstance(by.epochs, int) else None,
        steps=by.steps,
        batch=by.batch,
        augmentation=by.augmentation,
        cutmix=by.cutmix,
        mixup=by.mixup,
        seed=SEED,
        precision="float32",
    )
    return base.model_copy(update=changes)


def evaluate_work(by: ProtocolSpec, **changes: Any) -> EvaluateWork:
    """Return a training by a protocol, with the seed of the relabelling."""
    base = EvaluateWork(network=STUDENT, protocol=by, seed=SEED, precision="float32")
    return base.model_copy(update=changes)


def site(folder: Path, name: str, inputs: Mapping[str, Path]) -> Site:
    """Return where a stage works, its folders made."""
    output, scratch = folder / name, folder / f"{name}-scratch"
    output.mkdir(parents=True, exist_ok=True)
    scratch.mkdir(parents=True, exist_ok=True)
    return Site(key="2" * 64, inputs=dict(inputs), output=output, scratch=scratch)


def inputs_of(folder: Path, teachers: int = 2, **set_changes: Any) -> dict[str, Path]:
    """Write a set, a test split and teachers; return all as inputs."""
    test = write_split(folder / "test")
    write_set(folder / "set", test, **set_changes)
    for index in range(teachers):
        write_teacher(folder / f"teacher-{index}", index)
    asked = {f"teacher/{index}": folder / f"teacher-{index}" for index in range(teachers)}
    return {"set": folder / "set", "test": folder / "test"} | asked
