"""Take a synthetic set from files of official code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.wire.work import ImportWork
from ddspec_runners.artifacts import write_synthetic_set
from ddspec_runners.card import Card, Provenance, make_card
from ddspec_runners.data.folder import inside
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import BadData, BadJob
from ddspec_runners.imports.layouts import Found, found
from ddspec_runners.imports.reading import opened
from ddspec_runners.imports.values import Range, contradiction
from ddspec_runners.parameterization.space import Space, as_learned
from ddspec_runners.site import Site

SUM_OFF = 1e-3
"""How far the probabilities of an image may be from 1 together."""


def run(work: ImportWork, site: Site) -> Mapping[str, JsonValue]:
    """Read the files that the job's location names, and write the set as a distillation would.

    Values stay as they are, to the bit, where the stored space is that of the files; images are
    sorted by class and otherwise keep their order.

    Returns:
        `images`, and `low` and `high`, between which the values in the files lie.

    Raises:
        BadData: a file is missing, another one, no file of the layout, or holds other values,
            classes or numbers of images than the plan says.
        BadJob: the job contradicts itself.
    """
    train = as_learned(PreparedSplit.open(site.inputs["train"]), work.parameterization)
    card = make_card(
        train.card,
        parameterization=work.parameterization,
        images_per_class=work.images_per_class,
        provenance=Provenance(
            key=site.key,
            kind="import",
            seed=(),
            files=tuple(file.content for file in work.files),
        ),
        labels=work.labels or "hard",
        learned_lr=work.learned_lr,
    )
    paths = _paths(work, site)
    files = [
        (opened(path, file.content), file.holds)
        for path, file in zip(paths, work.files, strict=True)
    ]
    there = found(files, work.layout, work.experiment)
    values = Range.of(there.images)
    problem = _misfit(there, card) or contradiction(values, work.space)
    if problem:
        raise BadData(f"{paths[0]} {'' if len(paths) == 1 else 'and the others '}{problem}")
    order = by_class(there, card, work.order, paths[0])
    images = _stored(there.images[order], work, card, train)
    soft = _soft(there, order, work, len(card.classes), paths[0])
    shaped = images.reshape(card.shape)
    labels = torch.arange(len(card.classes))[:, None].repeat(1, card.images_per_class)
    write_synthetic_set(
        site.output,
        shaped,
        labels,
        card,
        train.whitening,
        None if soft is None else soft.to(shaped.dtype).reshape(card.soft_shape or ()),
    )
    return {"images": len(images), "low": values.low, "high": values.high}


def _paths(work: ImportWork, site: Site) -> list[Path]:
    names = [f"file/{index}" for index in range(len(work.files))]
    if any(name not in site.location for name in names):
        raise BadJob("the job does not say where the files of the set lie")
    if site.data is None:
        raise BadData(
            f"the set {site.location[names[0]]} needs a data directory: "
            "give `--data DIR` or set DDSPEC_DATA"
        )
    return [inside(site.data, site.data / site.location[name]) for name in names]


def _misfit(there: Found, card: Card) -> str:
    """Return why images are not of the dataset; empty where they are."""
    count, *shape = there.images.shape
    expected = [card.channels, card.size, card.size]
    if shape != expected:
        return f"holds images of {shape}, and those of {card.dataset.name} are {expected}"
    wanted = len(card.classes) * card.images_per_class
    if count != wanted:
        each = f"{len(card.classes)} classes x {card.images_per_class}"
        return f"holds {count} images, and the plan says {each} = {wanted}"
    return ""


def by_class(there: Found, card: Card, order: tuple[int, ...] | None, path: Path) -> Tensor:
    """Return the indices of all images, int64 (N,), sorted by their class in the dataset.

    Images without labels, or with soft ones, are taken in the order of the classes, as official
    codes lay them out. Raises BadData where labels are of no class, or a class has too few.
    """
    classes, each = len(card.classes), card.images_per_class
    told = there.labels
    if told is None or told.ndim == 2:
        told = torch.arange(classes).repeat_interleave(each)
    if int(told.min()) < 0 or int(told.max()) >= classes:
        raise BadData(
            f"{path} has labels from {int(told.min())} to {int(told.max())}: "
            f"those of {classes} classes are 0 to {classes - 1}"
        )
    counts = torch.bincount(told, minlength=classes)
    if bool((counts != each).any()):
        odd = int((counts != each).nonzero()[0])
        raise BadData(
            f"{path} has {int(counts[odd])} images with label {odd}, the plan says {each} a class"
        )
    mapped = told if order is None else torch.tensor(order)[told]
    return torch.argsort(mapped, stable=True)


def _stored(images: Tensor, work: ImportWork, card: Card, train: PreparedSplit) -> Tensor:
    """Return images in the space that they are stored in; as they are where it is the same."""
    target = work.parameterization.space
    mean, std = work.mean or card.mean, work.std or card.std
    if len(mean) != card.channels or len(std) != card.channels:
        raise BadJob(f"`mean` and `std` have one value for each of {card.channels} channels")
    same = work.space != "normalised" or (mean, std) == (card.mean, card.std)
    if work.space == target and same:
        return images
    if "zca" in (work.space, target):
        raise BadJob(f"a set in {work.space} space cannot be stored in {target} space")
    pixels = Space(work.space, mean, std).to_pixel(images.double())
    return Space(target, card.mean, card.std, train.whitening).from_pixel(pixels).to(images.dtype)


def _soft(there: Found, order: Tensor, work: ImportWork, classes: int, path: Path) -> Tensor | None:
    """Return the labels beside the images, (N, K), with columns in the dataset's order."""
    labels = there.labels
    if work.labels is None:
        if labels is not None and labels.ndim == 2:
            raise BadData(
                f"{path} and the others have soft labels, the plan says hard ones: say "
                "`labels: {kind: expert}` for probabilities, `{kind: learned, …}` for logits"
            )
        return None
    if labels is None or labels.ndim != 2:
        raise BadData(f"{path} and the others have no soft labels, the plan says {work.labels}")
    if labels.shape[1] != classes:
        raise BadData(
            f"{path} and the others have soft labels of {labels.shape[1]} classes, there are "
            f"{classes}"
        )
    if work.labels == "expert" and not _probabilities(labels):
        raise BadData(
            f"{path} and the others have labels that are no probabilities: say "
            "`labels: {kind: learned, …}` for logits"
        )
    if work.order is not None:
        moved = torch.empty_like(labels)
        moved[:, torch.tensor(work.order)] = labels
        labels = moved
    return labels[order]


def _probabilities(labels: Tensor) -> bool:
    return bool((labels >= 0).all()) and bool(((labels.sum(1) - 1).abs() <= SUM_OFF).all())
