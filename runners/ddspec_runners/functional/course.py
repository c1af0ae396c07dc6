"""The learning rate of a network over its training."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import assert_never

from ddspec.spec.optimizer import CosineDecaySpec, DecaySpec, StepDecaySpec
from ddspec_runners.functional.sgd import learning_rate_at


@dataclass(frozen=True, slots=True)
class Course:
    """From the first step to the last; a function of the step alone, so a resume needs no state."""

    base: float
    """The learning rate that the optimiser is given."""
    decay: DecaySpec | None
    steps: int
    """Of the whole training."""
    batches: int
    """Steps of an epoch, at least 1."""
    by_epoch: bool = True
    """The training is so many epochs: fractions of it are fractions of its epochs, and steps of
    the rate come between epochs only (as in IDC's code)."""

    def at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        match self.decay:
            case None:
                return self.base
            case StepDecaySpec():
                if self.by_epoch:
                    epoch, epochs = self._epochs(step)
                    return learning_rate_at(epoch, epochs, self.base, self.decay)
                return learning_rate_at(step, self.steps, self.base, self.decay)
            case CosineDecaySpec():
                return self._cosine(self.decay, step)
            case _:
                assert_never(self.decay)

    def _cosine(self, decay: CosineDecaySpec, step: int) -> float:
        """Return base / 2 (1 + cos(pi t / T)): T begins after the warm-up, and t = T is never met.

        The warm-up goes from its start, the rate of the first step or epoch, by equal amounts to
        the base, which is the rate right after it (Goyal et al., 2017).
        """
        if decay.every == "epoch":
            done, whole = self._epochs(step)
            warm = decay.warmup.epochs if decay.warmup else 0
        else:
            done, whole = step, self.steps
            warm = decay.warmup.epochs * self.batches if decay.warmup else 0
        if decay.warmup and done < warm:
            return decay.warmup.start + (self.base - decay.warmup.start) * done / warm
        return self.base * (1 + cos(pi * (done - warm) / max(1, whole - warm))) / 2

    def _epochs(self, step: int) -> tuple[int, int]:
        """Return the epoch of a step, and how many there are; the last may be incomplete."""
        return step // self.batches, -(-self.steps // self.batches)
