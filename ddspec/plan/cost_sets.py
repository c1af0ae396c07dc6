"""What distillation writes, in bytes: the set, and a state where the next segment goes on."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.plan import cost_disk as disk
from ddspec.plan.cost_networks import NetworkCost
from ddspec.plan.cost_tally import WIDTHS
from ddspec.plan.ir import DataFacts
from ddspec.spec.experiment import Experiment
from ddspec.spec.method import AdamUpdateSpec, OnlinePoolSpec, StatisticsMatcherSpec
from ddspec.spec.optimizer import SgdSpec

RECORDED = 46
"""Bytes that distillation notes down of an outer loop."""
SOFT: Mapping[str, int] = {"learned": 3, "expert": 2}
"""How often labels are written: with the set, in the state, and how learned ones move."""


def learned_bytes(
    experiment: Experiment, data: DataFacts, classes: int, start: int, stop: int
) -> int:
    """Return what outer loops start..stop-1 on so many classes publish, but for a queue."""
    each, width = experiment.budget.images_per_class, WIDTHS[experiment.precision]
    images = classes * each
    tensors = disk.set_bytes(data, classes, each, width)
    tensors += disk.state_bytes(data, images, _copies(experiment, stop), width)
    soft = SOFT.get(experiment.labels.kind, 0) if experiment.labels else 0
    tensors += soft * disk.soft_bytes(len(data.classes), images, width)
    if experiment.parameterization.space == "zca":
        tensors += disk.whitening_bytes(data, width)
    return tensors + RECORDED * (stop - start)


def queue_bytes(pool: OnlinePoolSpec, network: NetworkCost, stop: int, width: int) -> int:
    """Return what the queue of networks takes that a state holds after so many outer loops."""
    members = min(pool.most, pool.start + -(-stop // pool.every))
    copies = 1 if isinstance(pool.optimizer, SgdSpec) else 2
    return disk.queue_bytes(network, members, copies, width)


def _copies(experiment: Experiment, stop: int) -> int:
    """Return how many tensors like the images a state holds after so many outer loops.

    Of statistics matching that is over for good, because its rate has run out, it is one.
    """
    update, matcher = experiment.update, experiment.matcher
    own = update.averaging is not None
    if isinstance(matcher, StatisticsMatcherSpec):
        if update.decay is not None and stop == experiment.loops.outer_loops:
            return 1
        own = own or matcher.keep == "best"
    return (3 if isinstance(update, AdamUpdateSpec) else 2) + own
