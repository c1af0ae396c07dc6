"""From a pool to stages."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.plan.ir import DataFacts
from ddspec.plan.pools import (
    checkpoint_work,
    converged_work,
    pool_stages,
    pretrain_work,
    prune_work,
    weights_location,
)
from ddspec.plan.stages import Stages
from ddspec.spec.method import (
    CheckpointsPoolSpec,
    FreshPoolSpec,
    OnlinePoolSpec,
    PrunedPoolSpec,
    RecordedPoolSpec,
    TrainedSourceSpec,
    WeightsSpec,
)

TRAIN: Mapping[str, str] = {"train": "prepare/train"}
CONVERGED = "pool/converged"


def lower_pool(stages: Stages, data: DataFacts) -> None:
    """Add the stages of the pool; networks that are drawn on the way have none."""
    pool = stages.experiment.pool
    match pool:
        case RecordedPoolSpec():
            for member in range(pool_stages(stages.experiment)):
                stages.add(f"pool/{member}", stages.made(pretrain_work, member), TRAIN)
        case CheckpointsPoolSpec():
            for member, weights in enumerate(pool.weights):
                _take_over(stages, data, f"pool/{member}", weights)
        case PrunedPoolSpec():
            _cut_down(stages, data, pool)
        case FreshPoolSpec() | OnlinePoolSpec():
            pass


def _cut_down(stages: Stages, data: DataFacts, pool: PrunedPoolSpec) -> None:
    if isinstance(pool.converged, TrainedSourceSpec):
        stages.add(CONVERGED, stages.made(converged_work), TRAIN)
    else:
        _take_over(stages, data, CONVERGED, pool.converged)
    for member in range(pool.models):
        inputs = {**TRAIN, "network": CONVERGED}
        stages.add(f"pool/{member}", stages.made(prune_work, member), inputs)


def _take_over(stages: Stages, data: DataFacts, label: str, weights: WeightsSpec) -> None:
    work = stages.made(checkpoint_work, data, weights)
    location = stages.made(weights_location, weights)
    stages.add(label, work, {}, location=location)
