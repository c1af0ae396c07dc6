"""From soft labels to the inputs of evaluations, and to the stages that record them."""

from __future__ import annotations

from collections.abc import Mapping

from ddspec.plan.ir import DataFacts
from ddspec.plan.soft_labels import relabel_work, soft_labels, teacher_labels
from ddspec.plan.stages import Stages
from ddspec.plan.works import asks_online, resolved, views_per_class
from ddspec.spec.baselines import SetName
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.wire.schedule import Seed
from ddspec.wire.work import RelabelWork


def label_softly(
    stages: Stages,
    data: DataFacts,
    protocol: ProtocolSpec,
    set_name: SetName,
    sources: tuple[str, ...],
    suffix: str = "",
) -> dict[str, Mapping[str, str]]:
    """Return what evaluations of each source take besides, after adding the stages that make it.

    That is the recorded labels of a set or, online, the teachers; nothing where labels are hard.
    Where students see whitened images, teachers do, so the training split is needed too.
    `suffix` is that of the segment whose set is labelled, where it is not the last.
    """
    soft = soft_labels(stages.experiment)
    if soft is None or set_name == "random_hard":
        return {}
    teachers = teacher_labels(stages.experiment)
    if asks_online(soft, set_name):
        return dict.fromkeys(sources, teachers)
    found: dict[str, Mapping[str, str]] = {}
    for index, source in enumerate(dict.fromkeys(sources)):
        label, seed = _named(set_name, index)
        work = stages.made(_recorded_views, data, protocol, set_name, *seed)
        train = {} if protocol.zca is None else {"train": "prepare/train"}
        stages.add(label + suffix, work, {"set": source} | train | teachers)
        found[source] = {"labels": label + suffix}
    return found


def _named(set_name: SetName, index: int) -> tuple[str, Seed]:
    """Return the label and the seed of a relabelling."""
    match set_name:
        case "distilled":
            return "relabel", (set_name,)
        case "random":
            return f"relabel/random/{index}", ("random", index)
        case _:
            return f"relabel/{set_name}", (set_name,)


def _recorded_views(
    experiment: Experiment,
    data: DataFacts,
    protocol: ProtocolSpec,
    set_name: SetName,
    *seed: int | str,
) -> RelabelWork:
    fixed = resolved(protocol, views_per_class(experiment, data, set_name), data)
    epochs = fixed.epochs if isinstance(fixed.epochs, int) else None
    return relabel_work(experiment, protocol, epochs, seed)
