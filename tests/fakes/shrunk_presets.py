"""Published presets on a tiny dataset: all of their pieces, in smaller counts."""

from __future__ import annotations

from functools import cache
from typing import Any

from ddspec.plan.compile import compile_spec
from ddspec.spec.load import load_text
from ddspec.wire.work import DistillWork

STEPS, LOOPS, BUDGET = 5, 2, 2
SMALL: dict[str, dict[str, Any]] = {
    "on_real": {"steps": 2, "batch": 8},
    "on_synthetic": {"epochs": 3, "batch": 4},
}
"""Training between two steps in counts that the tiny dataset has; the last batch is incomplete."""


@cache
def published(preset: str) -> DistillWork:
    """Return what a preset asks of CIFAR-10 at 10 images a class."""
    text = f"name: published\n{preset}\ndataset: {{kind: cifar10}}\n"
    plan = compile_spec(load_text(f"{text}budget: {{images_per_class: 10}}\n", "spec.yaml"))
    return next(stage.work for stage in plan if isinstance(stage.work, DistillWork))


def shrunk(bench: Any, preset: str, **changes: Any) -> DistillWork:
    """Return a preset's work on the tiny dataset: all of its pieces, in smaller counts."""
    work = published(preset)
    pieces = ("matching_augmentation", "training_augmentation", "cutmix", "parameterization")
    settings = {name: getattr(work, name) for name in (*pieces, "init", "update", "networks")}
    settings["network"] = work.network.model_copy(update={"depth": 2, "width": 4})
    settings["inner"] = work.inner.model_copy(update=SMALL[work.inner.kind])
    settings["matcher"] = work.matcher.model_copy(update={"real_batch": 4})
    settings["perturbation"] = work.schedule.perturbation
    settings |= {"images_per_class": BUDGET, "inner_steps": STEPS, "stop": LOOPS, **changes}
    return bench.work(**settings)
