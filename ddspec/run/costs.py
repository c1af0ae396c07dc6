"""What was measured of the work behind a set: working time, where it ran, and operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ddspec.canon import Digest, Json
from ddspec.plan.estimate import stage_costs
from ddspec.plan.ir import Plan, Stage
from ddspec.run.scores import judged
from ddspec.store.store import StoredResult
from ddspec.wire.work import ImportWork, MergeWork, PrepareWork, SelectWork

CPU = "cpu"


class Results(Protocol):
    """Something that knows what became of stages."""

    def result(self, stage: Stage) -> StoredResult | None:
        """Return what the result of a stage tells; None where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Cost:
    """What the work behind a set took: pool, distillation, selection and labels, each stage once.

    Pools count in full, also where other sets share them; preparing data and evaluations do not.
    """

    seconds: float | None = None
    """Working time, side by side or not; None unless that of every stage is known."""
    device: str = ""
    """Where it ran, as a driver calls it, `cpu` without a GPU; several joined by commas; empty
    where nothing is known."""
    flops: int | None = None
    """Operations of networks, counted from the plan; None where the data are not known."""

    @property
    def hours(self) -> float | None:
        """Return the working time in hours."""
        return None if self.seconds is None else self.seconds / 3600

    @property
    def unit(self) -> str:
        """Return of what the hours are: `GPU-hours`, `CPU-hours`, or of both kinds `hours`."""
        kinds = {name == CPU for name in self.device.split(", ")}
        if len(kinds) > 1 or not self.device:
            return "hours"
        return "CPU-hours" if kinds == {True} else "GPU-hours"

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {"seconds": self.seconds, "device": self.device, "flops": self.flops}


def costs_of(plan: Plan, stored: Results) -> dict[str, Cost]:
    """Return the cost of each set of a plan of one variant, of snapshots as well, by its name.

    Of several draws of a set it is that of the first. Sets that take no work, as full data, have
    none, and nobody knows what the distillation of an imported set took.
    """
    counted = {label: cost.flops for label, cost in stage_costs(plan).items()}
    found: dict[str, Cost] = {}
    done: set[str] = set()
    for one in judged(plan):
        if one.set not in done:
            done.add(one.set)
            behind = tuple(_behind(plan, one.stage))
            if behind and not any(isinstance(stage.work, ImportWork) for stage in behind):
                found[one.set] = _cost(plan, behind, counted, stored)
    return found


def _behind(plan: Plan, evaluation: Stage) -> Iterator[Stage]:
    """Yield the stages that made what an evaluation trains on, each once, but not real data."""
    seen: set[str] = set()
    waiting = list(evaluation.upstream.values())
    while waiting:
        label = waiting.pop()
        stage = plan.stage(label)
        if label not in seen and not isinstance(stage.work, PrepareWork):
            seen.add(label)
            waiting += stage.upstream.values()
            yield stage


def _cost(
    plan: Plan, stages: tuple[Stage, ...], counted: Mapping[str, int | None], stored: Results
) -> Cost:
    flops = [counted[stage.label] for stage in stages]
    ran = _ran(plan, stages, stored)
    seconds = [None if result is None else result.seconds for _, result in ran]
    known = None if None in seconds else sum(value for value in seconds if value is not None)
    devices = {_device(result) for stage, result in ran if result and not _is_light(stage)}
    devices = devices or {_device(result) for _, result in ran if result}
    operations = None if None in flops else sum(value for value in flops if value is not None)
    return Cost(known, ", ".join(sorted(devices)), operations)


def _ran(
    plan: Plan, stages: tuple[Stage, ...], stored: Results
) -> list[tuple[Stage, StoredResult | None]]:
    """Return each stage with its result, with None where its working time is not to be had.

    A set that was distilled whole answers for its shards; one that was merged does not answer for
    a distillation of the whole.
    """
    results = {stage.label: stored.result(stage) for stage in stages}
    whole = {
        label
        for stage in stages
        if isinstance(stage.work, MergeWork)
        and (result := results[stage.label]) is not None
        and result.kind == "distill"
        for label in stage.upstream.values()
    }
    found: dict[Digest | str, tuple[Stage, StoredResult | None]] = {}
    for stage in stages:
        result = results[stage.label]
        merged = result is not None and result.kind == "merge"
        if stage.label not in whole:
            honest = None if merged and not isinstance(stage.work, MergeWork) else result
            found[stage.key or stage.label] = (stage, honest)
    return list(found.values())


def _is_light(stage: Stage) -> bool:
    """Return whether a stage only moves images, wherever that happens."""
    return isinstance(stage.work, SelectWork | MergeWork)


def _device(result: StoredResult) -> str:
    name, kind = result.engine.get("device_name"), result.engine.get("device")
    if isinstance(name, str) and name:
        return name
    return kind if isinstance(kind, str) and kind else CPU
