"""What a plan costs, counted: operations, bytes and memory by formula, never times."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from ddspec.plan.cost_networks import NetworkCost, network_cost
from ddspec.plan.ir import DataFacts, Plan
from ddspec.plan.works import factor_of, views_per_class
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.method import FrozenInnerSpec
from ddspec.spec.network import NetworkSpec
from ddspec.wire.work import (
    DistillWork,
    EvaluateWork,
    MergeWork,
    Precision,
    PrepareWork,
    PretrainWork,
    SelectWork,
    Work,
)

SECOND_ORDER_COPIES = 3
"""Forward values, those of the first backward and those of the second live at once."""
PARAMETER_COPIES = 4
"""Parameters, gradients, momentum and the update."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stage takes; None where the size of the dataset is not known."""

    flops: int | None = 0
    """Floating-point operations of networks; decoding and copying count as none."""
    output_bytes: int | None = 0
    memory_bytes: int = 0
    """Networks and what their backward pass keeps; neither the dataset nor the engine itself."""
    parameters: int = 0
    """Of the network that the stage trains or learns with."""
    traffic_bytes: int = 0
    """What kernels read and write, one after the other; for forecasts alone."""
    kernels: int = 0
    """Kernels that are started; for forecasts alone."""
    images: int | None = 0
    """Images that are decoded."""
    precision: Precision = "float32"


def stage_cost(plan: Plan, work: Work) -> Cost:
    """Count one work of a plan.

    A training image costs 3 forward passes without the stem's input gradient, a real image of
    matching the same, a synthetic one 8 (see `NetworkCost`).
    """
    count = _Counting(plan)
    match work:
        case PrepareWork():
            return count.prepare(work)
        case PretrainWork():
            return count.pretrain(work)
        case DistillWork():
            return count.distill(work)
        case SelectWork():
            return Cost(output_bytes=count.set_bytes())
        case MergeWork():
            # Images, and as many of them and of velocities again in the state.
            return Cost(output_bytes=3 * count.set_bytes())
        case EvaluateWork():
            return count.evaluate(work)
        case _:
            assert_never(work)


def stage_costs(plan: Plan) -> dict[str, Cost]:
    """Return what each stage of a plan takes, by label; one shared by variants is counted once."""
    costs: dict[str, Cost] = {}
    for variant in plan.variants:
        alone = Plan(plan.name, (variant,), ())
        for label in variant.labels or (stage.label for stage in plan):
            if label not in costs:
                costs[label] = stage_cost(alone, plan.stage(label).work)
    return costs


def inner_step_flops(plan: Plan, work: DistillWork) -> tuple[int, int, int]:
    """Return the operations of one inner step: network training, real and synthetic gradients."""
    cost = _network(plan.data, work.network)
    covered = len(plan.data.classes)
    if work.classes is not None:
        covered = work.classes.stop - work.classes.start
    real, views = _images_matched(plan, work)
    return (
        _images_trained(work) * cost.training_flops,
        covered * real * cost.training_flops,
        covered * views * cost.matching_flops,
    )


def shard_speedup(plan: Plan) -> float | None:
    """Return how much faster all shards side by side are at most; None without shards.

    Every shard computes the same stream of networks again, so it is less than their number.
    """
    works = plan.distillation()
    if not works or works[0].classes is None:
        return None
    part = sum(inner_step_flops(plan, works[0]))
    whole = sum(inner_step_flops(plan, works[0].model_copy(update={"classes": None})))
    return whole / part


def _network(data: DataFacts, network: NetworkSpec) -> NetworkCost:
    return network_cost(
        network, channels=data.channels, size=data.size, classes=max(1, len(data.classes))
    )


def _images_trained(work: DistillWork) -> int:
    inner = work.inner
    return 0 if isinstance(inner, FrozenInnerSpec) else inner.steps * inner.batch


def _images_matched(plan: Plan, work: DistillWork) -> tuple[int, int]:
    """Return how many real and how many synthetic images of a class a step looks at."""
    views = work.images_per_class * factor_of(plan.experiment) ** 2
    real = min(work.matcher.real_batch, plan.data.smallest_class or work.matcher.real_batch)
    return real, min(views, work.matcher.max_views)


@dataclass(frozen=True, slots=True)
class _Counting:
    plan: Plan

    @property
    def data(self) -> DataFacts:
        return self.plan.data

    def prepare(self, work: PrepareWork) -> Cost:
        counts = {
            "train": self.data.train,
            "validation": self.data.validation,
            "test": self.data.test,
        }
        images = counts[work.split]
        return Cost(output_bytes=None if images is None else images * self.image_floats())

    def pretrain(self, work: PretrainWork) -> Cost:
        network = _network(self.data, work.network)
        images = self.data.train
        if images is not None:
            images = work.epochs * max(min(images, work.batch), images // work.batch * work.batch)
        return Cost(
            flops=None if images is None else images * network.training_flops,
            output_bytes=4 * network.parameters,
            memory_bytes=self.memory(network, work.batch),
        )

    def distill(self, work: DistillWork) -> Cost:
        steps = (work.stop - work.start) * work.inner_steps
        real, views = _images_matched(self.plan, work)
        trained = 0 if isinstance(work.inner, FrozenInnerSpec) else work.inner.batch
        at_once = max(trained, real, SECOND_ORDER_COPIES * views)
        return Cost(
            flops=steps * sum(inner_step_flops(self.plan, work)),
            output_bytes=3 * self.set_bytes(work),
            memory_bytes=self.memory(_network(self.data, work.network), at_once),
        )

    def evaluate(self, work: EvaluateWork) -> Cost:
        network = _network(self.data, work.network)
        memory = self.memory(network, work.protocol.batch)
        tested = self._tested()
        images = self._trained(work)
        if tested is None or images is None:
            return Cost(flops=None, memory_bytes=memory)
        flops = images * network.training_flops + tested * network.flops
        return Cost(flops=flops, memory_bytes=memory)

    def _tested(self) -> int | None:
        on_test = self.plan.experiment.evaluate.on == "test"
        return self.data.test if on_test else self.data.validation

    def _trained(self, work: EvaluateWork) -> int | None:
        """Return how many images training passes, over all epochs."""
        if work.on_real:
            images = self.data.train
        else:
            # A seed path names the set that it is for: (seed, "evaluate", set, network, repeat).
            views = views_per_class(
                self.plan.experiment, self.data, "random" if "random" in work.seed else "distilled"
            )
            images = views * len(self.data.classes)
        return None if images is None else _passed(work.protocol, images)

    def memory(self, network: NetworkCost, images: int) -> int:
        width = 8 if self.plan.experiment.precision == "float64" else 4
        return width * (PARAMETER_COPIES * network.parameters + images * network.floats)

    def image_floats(self) -> int:
        return self.data.channels * self.data.size**2

    def set_bytes(self, work: DistillWork | None = None) -> int:
        classes = len(self.data.classes)
        if work is not None and work.classes is not None:
            classes = work.classes.stop - work.classes.start
        images = classes * self.plan.experiment.budget.images_per_class
        width = 8 if self.plan.experiment.precision == "float64" else 4
        return width * images * self.image_floats()


def _passed(protocol: ProtocolSpec, images: int) -> int:
    if protocol.steps is not None:
        return protocol.steps * min(protocol.batch, images)
    return images * (protocol.epochs if isinstance(protocol.epochs, int) else 0)
