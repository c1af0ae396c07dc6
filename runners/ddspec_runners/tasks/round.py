"""Round a set to the 8 bits of pictures: its images as they are used, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from pydantic import JsonValue
from torch import Tensor

from ddspec.spec.learned import PixelsSpec, as_used
from ddspec.wire.work import RoundWork
from ddspec_runners.artifacts import (
    SyntheticSet,
    labels_of,
    read_synthetic_set,
    write_synthetic_set,
)
from ddspec_runners.card import Card
from ddspec_runners.faults import BadJob
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.parameterization.make import make_parameterization
from ddspec_runners.site import Site

LEVELS = 255
"""The largest value of 8 bits."""
ROUNDING = 1e-6
"""How far float32 may leave a value that was limited to [0, 1] in another space."""


@dataclass(slots=True)
class Change:
    """How far values moved, over all that were looked at so far."""

    values: int = 0
    clamped: int = 0
    """Of them, those outside of [0, 1] by more than `ROUNDING`."""
    clamp_sum: float = 0.0
    clamp_max: float = 0.0
    round_sum: float = 0.0
    round_max: float = 0.0

    def note(self, pixels: Tensor, limited: Tensor, rounded: Tensor) -> None:
        """Take some values as they were, limited to [0, 1], and in multiples of 1/255."""
        cut, off = (pixels - limited).abs(), (limited - rounded).abs()
        self.values += pixels.numel()
        self.clamped += int((cut > ROUNDING).sum())
        self.clamp_sum += float(cut.sum())
        self.clamp_max = max(self.clamp_max, float(cut.max()))
        self.round_sum += float(off.sum())
        self.round_max = max(self.round_max, float(off.max()))

    def plain(self) -> dict[str, JsonValue]:
        """Return the figures of the stage: changes in units of the full range, [0, 1]."""
        return {
            "clamped_share": self.clamped / self.values,
            "clamp_mean": self.clamp_sum / self.values,
            "clamp_max": self.clamp_max,
            "round_mean": self.round_sum / self.values,
            "round_max": self.round_max,
        }


def run(work: RoundWork, site: Site) -> Mapping[str, JsonValue]:
    """Write the decoded images in pixel space, with values k/255, k rounded half to even.

    Decoded, brought back to pixels and rounded in float64 on the CPU, class by class, so that
    neither a device nor threads decide which way a value goes. They are kept in the type of the
    learned images, of which `value * 255` rounds to k again.

    Returns:
        `images`; `clamped_share`, the share of values outside of [0, 1]; `clamp_mean` and
        `clamp_max`, `round_mean` and `round_max`: how far limiting and rounding moved values, over
        all of them and at most, as parts of the full range.

    Raises:
        BadJob: the set is a shard, or is whitened and its whitening is not there.
        BadData: the set is damaged.
    """
    stored = read_synthetic_set(site.inputs["set"])
    if stored.card.covers.start or stored.card.covers.stop != stored.card.covers.of:
        raise BadJob("a shard of a set cannot be rounded before it is merged")
    decoder = make_parameterization(
        as_used(stored.card.parameterization), mean=stored.card.mean, std=stored.card.std
    )
    change = Change()
    images = torch.stack(list(_rounded(stored, decoder, change))).to(stored.images.dtype)
    card = rounded_card(stored.card, images.shape[1], site.key)
    soft = _soft_labels(stored, decoder)
    write_synthetic_set(site.output, images, labels_of(card), card, soft_labels=soft)
    return {"images": images.shape[0] * images.shape[1], **change.plain()}


def rounded_card(card: Card, views: int, key: str) -> Card:
    """Return the card of a set of so many decoded images a class, in pixel space."""
    made = card.provenance.model_copy(update={"key": key, "kind": "round"})
    changes = {
        "parameterization": PixelsSpec(),
        "images_per_class": views,
        "provenance": made,
    }
    return card.model_copy(update=changes)


def _rounded(stored: SyntheticSet, decoder: Parameterization, change: Change) -> Iterator[Tensor]:
    """Yield the images (n, C, H, W) of each class in multiples of 1/255, float64."""
    space = stored.card.space(stored.whitening)
    for learned in stored.images:
        pixels = space.to_pixel(decoder.decode(learned.double()))
        limited = pixels.clamp(0, 1)
        rounded = (limited * LEVELS).round() / LEVELS
        change.note(pixels, limited, rounded)
        yield rounded


def _soft_labels(stored: SyntheticSet, decoder: Parameterization) -> Tensor | None:
    """Return the set's own labels for each decoded image, (K, views, K); None of hard ones."""
    if stored.soft_labels is None:
        return None
    return decoder.labels(stored.soft_labels.movedim(-1, 0)).movedim(0, -1).contiguous()
