"""Sets that a distilled one is compared with: real images, drawn or chosen, and all of them."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from pydantic import Field

from ddspec.spec.augmentation import AugmentationSpec, NoAugmentationSpec
from ddspec.spec.base import Count, Natural, SpecModel
from ddspec.spec.optimizer import DecaySpec, OptimizerSpec, SgdSpec, StepDecaySpec

SetName: TypeAlias = Literal[
    "distilled", "random", "random_hard", "herding", "k_center", "forgetting", "init", "full"
]
Selected: TypeAlias = Literal["herding", "k_center", "forgetting"]
"""Sets that are chosen by a trained network."""

SETS: tuple[SetName, ...] = get_args(SetName)
"""In the order of plans and tables: what was made, then what it is compared with."""
REAL: frozenset[str] = frozenset({"random", "random_hard", *get_args(Selected)})
"""Sets of as many real images as the budget says."""
DRAWN: frozenset[str] = frozenset({"random", "random_hard"})
"""Those of them that are drawn anew for every network."""


class FeaturesSpec(SpecModel):
    """How the network is trained by which herding, k-center and forgetting choose images.

    It is the spec's `network`, trained once on the whole training split. No publication says how it
    trained its own: as long as DeepCore does by default, and otherwise as IDC trains networks.
    """

    epochs: Count = 40
    batch: Count = 64
    optimizer: OptimizerSpec = Field(default_factory=SgdSpec)
    decay: DecaySpec | None = Field(default_factory=StepDecaySpec)
    """Null keeps the learning rate constant."""
    augmentation: AugmentationSpec = Field(default_factory=NoAugmentationSpec)
    """What training images go through; never what a method is trained with, so that all methods
    are compared with the same images."""


class BaselinesSpec(SpecModel):
    """How many networks are trained on each set that the distilled one is compared with."""

    random: Natural = 10
    """Random real images of the same budget, redrawn for every repeat; 0 leaves it out. Where
    labels are soft, teachers label them as they label the distilled set."""
    random_hard: Natural | None = None
    """The same random images with hard labels, by the protocol without its `teaching`: what soft
    labels alone make of them is the difference. By default none."""
    init: Natural = 0
    """What the synthetic images were before learning."""
    full: Natural = 0
    """The whole training split."""
    herding: Natural | None = None
    """Real images whose mean feature approaches that of their class (Welling, ICML 2009); chosen
    once for all repeats. By default none."""
    k_center: Natural | None = None
    """Real images with no other of their class far from all of them (Sener and Savarese, ICLR
    2018), begun with the one nearest to the mean; chosen once. By default none."""
    forgetting: Natural | None = None
    """Real images most often forgotten in training (Toneva et al., ICLR 2019), before them those
    that were never learned; chosen once. By default none."""
    features: FeaturesSpec | None = None
    """How the network of these three is trained; by default with the defaults of this section."""

    @property
    def counts(self) -> dict[str, int]:
        """Networks that are trained on each of these sets, in the order of tables."""
        return {
            "random": self.random,
            "random_hard": self.random_hard or 0,
            "herding": self.herding or 0,
            "k_center": self.k_center or 0,
            "forgetting": self.forgetting or 0,
            "init": self.init,
            "full": self.full,
        }

    @property
    def selected(self) -> tuple[Selected, ...]:
        """Those of them that are asked for and chosen by a trained network."""
        counts = self.counts
        return tuple(name for name in get_args(Selected) if counts[name])

    @property
    def networks(self) -> int:
        """Networks that are trained on all of these sets."""
        return sum(self.counts.values())
