"""The folder that a distillation leaves: a synthetic set, and where the next segment goes on."""

from __future__ import annotations

import torch

from ddspec.wire.work import DistillWork
from ddspec_runners.artifacts import write_synthetic_set, write_tensors
from ddspec_runners.card import Provenance, make_card
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.state import Published, State
from ddspec_runners.site import Site

STATE = "state.safetensors"


def publish(
    work: DistillWork,
    site: Site,
    split: PreparedSplit,
    classes: range,
    published: Published,
    state: State,
) -> None:
    """Write the files of the synthetic set of these (global) classes, and `state.safetensors`."""
    card = make_card(
        split.card,
        parameterization=work.parameterization,
        images_per_class=work.images_per_class,
        provenance=Provenance(key=site.key, kind="distill", seed=work.seed),
        covers=work.classes,
        labels="hard" if work.labels is None else work.labels.kind,
        learned_lr=published.learned_rate,
    )
    labels = torch.tensor(classes)[:, None].repeat(1, work.images_per_class)
    images, soft = published.images, published.soft_labels
    write_synthetic_set(site.output, images, labels, card, split.whitening, soft)
    write_tensors(site.output / STATE, state.tensors())
