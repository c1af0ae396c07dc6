"""Choose a set instead of learning one: the baselines that learning is compared with."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.spec.method import ParameterizationSpec, PixelsSpec
from ddspec.wire.schedule import Seed
from ddspec.wire.work import InitSelection, RandomSelection, SelectWork
from ddspec_runners.artifacts import labels_of, write_synthetic_set
from ddspec_runners.card import Provenance, make_card
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import BadJob
from ddspec_runners.parameterization.init import initial_images
from ddspec_runners.rng import generator
from ddspec_runners.site import Site


def run(work: SelectWork, site: Site) -> Mapping[str, JsonValue]:
    """Write the chosen set; raises BadJob where a class has too few images."""
    train = PreparedSplit.open(site.inputs["train"])
    parameterization, images = _chosen(work, train)
    card = make_card(
        train.card,
        parameterization=parameterization,
        images_per_class=work.images_per_class,
        provenance=Provenance(key=site.key, kind="select", seed=work.seed),
    )
    write_synthetic_set(site.output, images, labels_of(card), card)
    return {"images": images.shape[0] * images.shape[1]}


def random_images(train: PreparedSplit, images_per_class: int, seed: Seed) -> Tensor:
    """Return real images (K, n, C, H, W) in pixel space, without replacement in a class.

    Those of class c are the first n of a permutation drawn from (*seed, c), in that order.
    """
    rows = []
    for label, count in enumerate(train.counts):
        if count < images_per_class:
            raise BadJob(
                f"class `{train.classes[label]}` has {count} training images, "
                f"{images_per_class} are to be chosen"
            )
        order = torch.randperm(count, generator=generator(*seed, label))[:images_per_class]
        rows.append(train.pixels(order + train.of_class(label).start))
    return torch.stack(rows)


def _chosen(work: SelectWork, train: PreparedSplit) -> tuple[ParameterizationSpec, Tensor]:
    match work.selection:
        case RandomSelection():
            return PixelsSpec(), random_images(train, work.images_per_class, work.seed)
        case InitSelection(parameterization=parameterization, init=init):
            classes = range(len(train.classes))
            count, seed = work.images_per_class, work.seed
            return parameterization, initial_images(
                parameterization, init, count, train, seed, classes
            )
