"""Choose a set instead of learning one: the baselines that learning is compared with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias, assert_never

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.spec.method import ParameterizationSpec, PixelsSpec
from ddspec.spec.network import NetworkSpec
from ddspec.wire.schedule import Seed
from ddspec.wire.work import (
    ForgettingSelection,
    HerdingSelection,
    InitSelection,
    KCenterSelection,
    RandomSelection,
    SelectWork,
)
from ddspec_runners.artifacts import labels_of, write_synthetic_set
from ddspec_runners.card import Provenance, make_card
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.make import make_network
from ddspec_runners.parameterization.init import initial_images
from ddspec_runners.parameterization.space import as_learned
from ddspec_runners.rng import generator
from ddspec_runners.selection.forgetting import forgetting, read_events
from ddspec_runners.selection.herding import herding
from ddspec_runners.selection.k_center import k_center
from ddspec_runners.selection.trained import TrainedNetwork
from ddspec_runners.site import Site

NETWORK = "network"
"""The input by whose features or training events images are chosen."""
CHOSEN = "chosen"
SAVED_EVERY_S = 60.0
"""A checkpoint holds which images were chosen so far; a class takes seconds."""

OfClass: TypeAlias = Callable[[int], Tensor]
"""From a label to the n images chosen of that class, counted within it: int64 (n,)."""


def run(work: SelectWork, site: Site) -> Mapping[str, JsonValue]:
    """Write the chosen set; raises BadJob where a class has too few images.

    Random images of class c are the first n of a permutation drawn from (*seed, c), in that order;
    images forgotten equally often come in the order of that permutation. Whatever is chosen by a
    network is in the order of its choice, so that fewer images are the first of more.
    """
    train = PreparedSplit.open(site.inputs["train"])
    if isinstance(work.selection, InitSelection):
        train = as_learned(train, work.selection.parameterization)
    parameterization, images = _chosen(work, train, site)
    card = make_card(
        train.card,
        parameterization=parameterization,
        images_per_class=work.images_per_class,
        provenance=Provenance(key=site.key, kind="select", seed=work.seed),
    )
    write_synthetic_set(site.output, images, labels_of(card), card, train.whitening)
    return {"images": images.shape[0] * images.shape[1]}


def _chosen(
    work: SelectWork, train: PreparedSplit, site: Site
) -> tuple[ParameterizationSpec, Tensor]:
    count, seed, selection = work.images_per_class, work.seed, work.selection
    match selection:
        case InitSelection(parameterization=parameterization, init=init):
            classes = range(len(train.classes))
            return parameterization, initial_images(
                parameterization, init, count, train, seed, classes
            )
        case RandomSelection():
            of_class: OfClass = partial(_at_random, train, seed)
        case HerdingSelection(network=network):
            of_class = _by_features(herding, _trained(network, train, site), train, count)
        case KCenterSelection(network=network):
            of_class = _by_features(k_center, _trained(network, train, site), train, count)
        case ForgettingSelection():
            of_class = _by_events(train, seed, site)
        case _:
            assert_never(selection)
    return PixelsSpec(), _real_images(train, count, of_class, site)


def _real_images(train: PreparedSplit, count: int, of_class: OfClass, site: Site) -> Tensor:
    """Return real images (K, n, C, H, W) in pixel space, class by class."""
    for label, images in enumerate(train.counts):
        if images < count:
            raise BadJob(
                f"class `{train.classes[label]}` has {images} training images, "
                f"{count} are to be chosen"
            )
    done, chosen = 0, torch.zeros(len(train.classes), count, dtype=torch.int64)
    if (saved := site.resume([CHOSEN])) is not None:
        done, chosen = saved[0], saved[1][CHOSEN]
    for label in range(done, len(train.classes)):
        chosen[label] = of_class(label)[:count] + train.of_class(label).start
        site.advance(
            label + 1,
            len(train.classes),
            "classes",
            state=lambda: {CHOSEN: chosen},
            every_s=SAVED_EVERY_S,
        )
    return torch.stack([train.pixels(row) for row in chosen])


def _at_random(train: PreparedSplit, seed: Seed, label: int) -> Tensor:
    return torch.randperm(train.counts[label], generator=generator(*seed, label))


def _trained(network: NetworkSpec, train: PreparedSplit, site: Site) -> TrainedNetwork:
    card = train.card
    made = make_network(network, channels=card.channels, size=card.size, classes=len(card.classes))
    return TrainedNetwork.open(site.inputs[NETWORK], made, site.device)


def _by_features(
    choose: Callable[[Tensor, int], Tensor],
    trained: TrainedNetwork,
    train: PreparedSplit,
    count: int,
) -> OfClass:
    """Choose by the features of one class at a time, which is all that is held of them."""
    return lambda label: choose(trained.features(train, train.of_class(label)), count)


def _by_events(train: PreparedSplit, seed: Seed, site: Site) -> OfClass:
    forgotten, learned = read_events(site.inputs[NETWORK], len(train))

    def of_class(label: int) -> Tensor:
        part = train.of_class(label)
        return forgetting(forgotten[part], learned[part], _at_random(train, seed, label))

    return of_class
