"""What every family of distillation stands on: images, classes and the network."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Size

from ddspec.wire.work import ClassRange, DistillWork
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.faults import BadJob
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.make import make_network
from ddspec_runners.parameterization.base import Parameterization
from ddspec_runners.parameterization.make import make_parameterization
from ddspec_runners.parameterization.space import as_learned
from ddspec_runners.pools.start import Pool
from ddspec_runners.pools.training import nearby
from ddspec_runners.site import Site


@dataclass(frozen=True, slots=True)
class Setting:
    """What every family of distillation stands on."""

    split: PreparedSplit
    """As it is learned from: whitened where images are, on the device where it fits."""
    classes: range
    """Global indices of the K' classes that are learned here."""
    of: int
    """Number of classes of the whole set."""
    network: Network
    parameterization: Parameterization
    shape: Size
    """Of the images that are learned, (K', n, C, H, W)."""
    queue: Pool | None = None
    """What an outer loop has picked from a queue of networks, where there is one."""

    @classmethod
    def of_work(cls, work: DistillWork, site: Site) -> Setting:
        """Return the setting of a work; raises BadJob where the inputs do not fit it."""
        split = nearby(PreparedSplit.open(site.inputs["train"]), site.device)
        split = as_learned(split, work.parameterization)
        card = split.card
        count = len(card.classes)
        classes = _classes(work.classes, count)
        shape = (len(classes), work.images_per_class, card.channels, card.size, card.size)
        return cls(
            split=split,
            classes=classes,
            of=count,
            network=make_network(
                work.network, channels=card.channels, size=card.size, classes=count
            ),
            parameterization=make_parameterization(
                work.parameterization, mean=split.mean, std=split.std, whitening=split.whitening
            ),
            shape=Size(shape),
        )


def _classes(shard: ClassRange | None, count: int) -> range:
    if shard is None:
        return range(count)
    if shard.of != count or not 0 <= shard.start < shard.stop <= count:
        raise BadJob(
            f"classes {shard.start}..{shard.stop - 1} of {shard.of} are no shard of {count} classes"
        )
    return range(shard.start, shard.stop)
