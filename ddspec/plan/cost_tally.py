"""What batches of images take on a network: operations, numbers moved, kernels started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ddspec.plan.cost_networks import Compared, NetworkCost
from ddspec.wire.work import Precision

AUGMENTED = 60
"""Kernels of one call of an augmentation policy, CutMix included."""
STEPPED = 20
"""Kernels of one step of an optimiser over all parameters, by lists of tensors."""
PARAMETERS_MOVED = 9
"""Numbers read and written for each parameter in such a step: gradient, decay, momentum, itself."""


WIDTHS: Mapping[Precision, int] = {"float32": 4, "tf32": 4, "float64": 8}
"""Bytes of a number."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts that add up."""

    flops: int = 0
    numbers: int = 0
    """Read and written by kernels."""
    kernels: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.flops + other.flops, self.numbers + other.numbers, self.kernels + other.kernels
        )

    def __mul__(self, times: int) -> Tally:
        return Tally(self.flops * times, self.numbers * times, self.kernels * times)


def predicted(network: NetworkCost, images: int, batch: int) -> Tally:
    """Return forward passes alone, in batches."""
    batches = -(-images // batch)
    return Tally(
        images * network.flops, images * network.passed(0), batches * (network.started(0) + 10)
    )


def trained(network: NetworkCost, images: int, batches: int, *, augmented: bool = True) -> Tally:
    """Return training steps on so many images in so many batches: augmented, stepped."""
    each = network.started(1) + STEPPED + augmented * AUGMENTED
    return Tally(
        images * network.training_flops,
        images * network.passed(1) + batches * PARAMETERS_MOVED * network.parameters,
        batches * each,
    )


def targeted(network: NetworkCost, images: int, compared: Compared) -> Tally:
    """Return the gradient of one batch of real images in the compared parameters."""
    return Tally(
        images * network.target_flops(compared),
        images * network.passed(1),
        network.started(1) + AUGMENTED,
    )


def matched(network: NetworkCost, images: int, compared: Compared) -> Tally:
    """Return the gradient of a gradient distance in one batch of synthetic images."""
    return Tally(
        images * network.matching_flops(compared),
        images * network.passed(2),
        network.started(2) + AUGMENTED + STEPPED,
    )


def pushed(network: NetworkCost, images: int, *, classified: bool) -> Tally:
    """Return forward pass and gradient in one batch of images, parameters fixed."""
    flops = network.image_flops - (0 if classified else 2 * network.head_flops)
    return Tally(
        images * flops,
        images * network.passed(1),
        network.started(1) + AUGMENTED + STEPPED,
    )
