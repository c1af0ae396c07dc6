"""Stages and plans: what will run, as values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ddspec.canon import Digest, Json, digest
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment
from ddspec.wire.work import DistillWork, Work

UNKNOWN: Digest = ""
"""Stands for the content of data that nobody has locked yet; never part of a key."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One unit of work whose output is a function of its identity.

    `label`, `upstream`, `location` and `threads` are for people and schedulers: they may change
    without a rerun.
    """

    label: str
    work: Work
    upstream: Mapping[str, str]
    """Input name (`train`, `pool/0`, `set`) to the label of the stage that makes it."""
    inputs: Mapping[str, Digest]
    """Input name to the key of the stage that makes it; empty while the data are not locked."""
    key: Digest | None
    """Name of the output; None while the data are not locked."""
    location: Mapping[str, str] = field(default_factory=dict)
    """For `prepare` of a folder: where it lies under the data directory."""
    threads: int = 1


@dataclass(frozen=True, slots=True)
class DataFacts:
    """What the planner knows of a dataset without opening it; None is not known."""

    name: str
    title: str
    content: Digest | None
    """Digest that identifies the images; None until `ddspec lock` has seen them."""
    classes: tuple[str, ...]
    """Empty where only a lock can tell."""
    size: int
    channels: int
    train: int | None = None
    """Images of the training split, without those held out for choices."""
    validation: int | None = None
    test: int | None = None
    smallest_class: int | None = None
    """Training images of the smallest class, without those held out."""
    holdout: float = 0.0
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The compiled stages of one experiment, upstream first."""

    experiment: Experiment
    protocol: ProtocolSpec
    """The evaluation protocol, looked up; `idc_by_size` is resolved in the stages."""
    data: DataFacts
    stages: tuple[Stage, ...]

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.experiment.name

    @property
    def locked(self) -> bool:
        """Whether the data are identified, so that every stage has a key."""
        return self.data.content is not None

    @property
    def digest(self) -> Digest:
        """Name of the plan: all labels, keys and threads, and the spec they follow from."""
        stages: Json = [[stage.label, stage.key, stage.threads] for stage in self.stages]
        return digest({"spec": spec_digest(self.experiment), "stages": stages})

    def stage(self, label: str) -> Stage:
        """Return the stage of a label; KeyError where there is none."""
        for stage in self.stages:
            if stage.label == label:
                return stage
        raise KeyError(label)

    def distillation(self) -> tuple[DistillWork, ...]:
        """Return the works of all segments over all classes, or over those of the first shard."""
        works = [stage.work for stage in self.stages if isinstance(stage.work, DistillWork)]
        return tuple(work for work in works if work.classes is None or work.classes.start == 0)


def stage_key(work: Work, inputs: Mapping[str, Digest]) -> Digest:
    """Return the digest of everything that can change an output, and of nothing else."""
    return digest({"work": work.identity(), "inputs": inputs})


def spec_digest(experiment: Experiment) -> Digest:
    """Return the digest of what a spec asks for: all settings but names, titles, expectations."""
    asked: Json = experiment.model_dump(
        mode="json", exclude_none=True, exclude={"name", "title", "expect"}
    )
    return digest(asked)
