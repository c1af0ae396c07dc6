"""The parts of a runner that a work needs, by name, for planner and runners to compare.

Every choice that a work can make is a part, so that a runner refuses what it does not have instead
of passing over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, assert_never

from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.method import (
    AnyUpdateSpec,
    DistributionMatcherSpec,
    MatcherSpec,
    OnRealInnerSpec,
    OnSyntheticInnerSpec,
    ParameterizationSpec,
    TrajectoryMatcherSpec,
)
from ddspec.spec.network import ClassicSpec, NetworkSpec, TorchvisionSpec
from ddspec.wire.work import (
    CheckpointWork,
    DistillWork,
    EvaluateWork,
    HerdingSelection,
    ImportWork,
    InitSelection,
    KCenterSelection,
    MergeWork,
    PrepareWork,
    PretrainWork,
    PruneWork,
    RelabelWork,
    RoundWork,
    SelectWork,
    Work,
)

Part: TypeAlias = tuple[str, str]
"""Which piece, and which kind of it: `("matcher", "trajectory")`."""


def parts_of(work: Work) -> Iterator[Part]:
    """Yield the parts that a work needs; some may come twice."""
    yield "task", work.kind
    match work:
        case PrepareWork():
            yield "dataset", work.source.name
        case PretrainWork():
            yield from _pretrain(work)
        case PruneWork():
            yield from (_network(work.network), ("optimizer", work.optimizer.kind))
            yield "augmentation", work.augmentation.kind
        case CheckpointWork():
            yield _network(work.network)
        case DistillWork():
            yield from _distill(work)
        case ImportWork():
            yield from _import(work)
        case SelectWork():
            yield from _select(work)
        case RelabelWork():
            yield from (_network(work.teachers.network), ("augmentation", work.augmentation.kind))
        case EvaluateWork():
            yield _network(work.network)
            yield from _protocol(work.protocol)
            if work.teachers is not None:
                yield from (("labels", "soft"), _network(work.teachers.network))
        case MergeWork() | RoundWork():
            pass
        case _:
            assert_never(work)


def _pretrain(work: PretrainWork) -> Iterator[Part]:
    yield _network(work.network)
    yield "optimizer", work.optimizer.kind
    yield "augmentation", work.augmentation.kind
    if work.decay is not None:
        yield "schedule", work.decay.kind
    if work.record is not None:
        yield "pool", "snapshots"
    if work.sharpness is not None:
        yield "optimizer", "sharpness"
    if work.zca is not None:
        yield "space", "zca"
    if work.events is not None:
        yield "pool", "events"


def _select(work: SelectWork) -> Iterator[Part]:
    yield "selection", work.selection.kind
    match work.selection:
        case InitSelection(parameterization=parameterization):
            yield from _learned(parameterization)
        case HerdingSelection(network=network) | KCenterSelection(network=network):
            yield _network(network)
        case _:
            pass


def _distill(work: DistillWork) -> Iterator[Part]:
    yield _network(work.network)
    yield "inner", work.inner.kind
    if isinstance(work.inner, OnRealInnerSpec | OnSyntheticInnerSpec):
        yield "optimizer", work.inner.optimizer.kind
    if isinstance(work.inner, OnRealInnerSpec) and work.inner.warmup is not None:
        yield "inner", "warmup"
    yield from _matcher(work.matcher)
    yield "augmentation", work.matching_augmentation.kind
    yield "augmentation", work.training_augmentation.kind
    yield from _learned(work.parameterization)
    yield from _update(work.update)
    yield "pool", "recorded" if work.networks is None else work.networks.kind
    if work.record is not None:
        yield "pool", "snapshots"
    yield "labels", "hard" if work.labels is None else work.labels.kind


def _import(work: ImportWork) -> Iterator[Part]:
    yield "layout", work.layout
    yield from _learned(work.parameterization)
    yield "labels", work.labels or "hard"


def _matcher(matcher: MatcherSpec) -> Iterator[Part]:
    yield "matcher", matcher.kind
    if isinstance(matcher, TrajectoryMatcherSpec):
        yield "trajectory gradient", matcher.gradient
    if isinstance(matcher, DistributionMatcherSpec):
        yield "features", matcher.features


def _update(update: AnyUpdateSpec) -> Iterator[Part]:
    yield "update", update.kind
    yield "clock", update.clock
    yield "clamp", update.clamp
    if update.decay is not None:
        yield "update", "schedule"
    if update.averaging is not None:
        yield "update", "averaging"


def _protocol(protocol: ProtocolSpec) -> Iterator[Part]:
    yield "optimizer", protocol.optimizer.kind
    yield "augmentation", protocol.augmentation.kind
    if protocol.decay is not None:
        yield "schedule", protocol.decay.kind
    used = {
        "mixup": protocol.mixup is not None,
        "accumulate": protocol.accumulate is not None,
        "teaching": protocol.teaching is not None,
        "zca": protocol.zca is not None,
        "learned_rate": bool(protocol.learned_rate),
    }
    yield from (("protocol", name) for name, there in used.items() if there)


def _learned(shape: ParameterizationSpec) -> Iterator[Part]:
    yield "parameterization", shape.kind
    yield "space", shape.space


def _network(network: NetworkSpec) -> Part:
    """Return the family of a network, and which of a family of several."""
    if isinstance(network, TorchvisionSpec | ClassicSpec):
        return "network", f"{network.kind} {network.model}"
    return "network", network.kind
