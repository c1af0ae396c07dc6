"""Soft labels: who the teachers are, and the stage that records what they say."""

from __future__ import annotations

from ddspec.plan.pools import epochs_recorded, pool_stages
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.spec.method import SoftLabelsSpec
from ddspec.wire.schedule import Seed
from ddspec.wire.work import RelabelWork, Teachers


def soft_labels(experiment: Experiment) -> SoftLabelsSpec | None:
    """Return how images are labelled by teachers; None where they are not."""
    labels = experiment.labels
    return labels if isinstance(labels, SoftLabelsSpec) else None


def teachers_of(experiment: Experiment) -> Teachers | None:
    """Return who labels; of several snapshots of a run, one teacher is the last of them."""
    soft = soft_labels(experiment)
    if soft is None:
        return None
    record = epochs_recorded(experiment)
    if record is not None and soft.teachers == "one":
        record = record[-1:]
    return Teachers(
        network=experiment.network,
        average=soft.average,
        batch_norm=soft.batch_norm,
        record=record,
    )


def teacher_labels(experiment: Experiment) -> dict[str, str]:
    """Return input name to label of the stage of each teacher."""
    soft = soft_labels(experiment)
    if soft is None:
        return {}
    count = 1 if soft.teachers == "one" else pool_stages(experiment)
    return {f"teacher/{i}": f"pool/{i}" for i in range(count)}


def relabel_work(
    experiment: Experiment, protocol: ProtocolSpec, epochs: int | None, set_seed: Seed
) -> RelabelWork:
    """Return how the views of a set are recorded, and what the teachers say of them.

    Only what decides the views is in it: students of any network and optimiser share them.
    """
    teachers = teachers_of(experiment)
    if teachers is None:
        raise TypeError("no teachers label this set")
    return RelabelWork(
        teachers=teachers,
        epochs=epochs,
        steps=protocol.steps,
        batch=protocol.batch,
        augmentation=protocol.augmentation,
        cutmix=protocol.cutmix,
        mixup=protocol.mixup,
        seed=(experiment.seed, "relabel", *set_seed),
        precision=experiment.precision,
        zca=protocol.zca,
    )
