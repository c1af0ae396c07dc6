"""Stages and plans: what will run, as values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ddspec.canon import Digest, Json, digest, digest_of
from ddspec.plan.forms import Forms
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
class Variant:
    """One experiment of a plan, and which of the plan's stages it needs."""

    name: str
    """Empty for the only one of a spec without a matrix."""
    settings: Mapping[str, Json]
    """What the matrix sets for it, by dotted path; empty without a matrix."""
    experiment: Experiment
    protocol: ProtocolSpec
    """The evaluation protocol, looked up; `idc_by_size` is resolved in the stages."""
    data: DataFacts
    labels: tuple[str, ...] = ()
    """Its stages under the plan's labels, in the order of a spec of its own, so upstream first;
    empty where it needs them all."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The compiled stages of a spec, upstream first: of one experiment, or of all of a matrix.

    A stage that several variants need is there once. Where all variants need it, its label is
    plain; else it is `LABEL@NAME` with the name of the first variant that does. What looks at one
    experiment goes through `of`.
    """

    name: str
    variants: tuple[Variant, ...]
    """At least one; without a matrix, one whose name is empty."""
    stages: tuple[Stage, ...]
    presets: Mapping[str, Digest] = field(default_factory=dict)
    """Digests of the presets that give values, by name; part of no key."""
    _by_label: Mapping[str, Stage] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_label", {stage.label: stage for stage in self.stages})

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    @property
    def experiment(self) -> Experiment:
        """The experiment of the first variant: of the plan, where there is one only."""
        return self.variants[0].experiment

    @property
    def protocol(self) -> ProtocolSpec:
        """The evaluation protocol of the first variant."""
        return self.variants[0].protocol

    @property
    def data(self) -> DataFacts:
        """The dataset of the first variant."""
        return self.variants[0].data

    @property
    def is_matrix(self) -> bool:
        """Whether it is of a spec with a matrix, even of one with a single variant."""
        return self.variants[0].name != ""

    @property
    def locked(self) -> bool:
        """Whether the data are identified, so that every stage has a key."""
        return all(variant.data.content is not None for variant in self.variants)

    @property
    def digest(self) -> Digest:
        """Name of the plan: all labels, keys and threads, and the spec they follow from."""
        stages: Json = [[stage.label, stage.key, stage.threads] for stage in self.stages]
        return digest({**self._asked(), "stages": stages})

    def _asked(self) -> dict[str, Json]:
        if not self.is_matrix:
            return {"spec": spec_digest(self.experiment)}
        return {"variants": [[name, asked] for name, asked in spec_digests(self.variants)]}

    def stage(self, label: str) -> Stage:
        """Return the stage of a label; KeyError where there is none."""
        return self._by_label[label]

    def variant(self, name: str) -> Variant:
        """Return the variant of a name; KeyError where there is none."""
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise KeyError(name)

    def of(self, name: str) -> Plan:
        """Return the plan of one variant, labelled as that of a spec of its own would be.

        KeyError where there is no variant of that name.
        """
        variant = self.variant(name)
        if not self.is_matrix:
            return self
        stages = tuple(_alone(self._by_label[label]) for label in variant.labels)
        alone = replace(variant, name="", settings={}, labels=())
        return Plan(variant.experiment.name, (alone,), stages, self.presets)

    def users(self, label: str) -> tuple[str, ...]:
        """Return the names of the variants that need a stage."""
        return tuple(one.name for one in self.variants if not self.is_matrix or label in one.labels)

    def distillation(self) -> tuple[DistillWork, ...]:
        """Return the works of all segments over all classes, or over those of the first shard.

        Of one experiment: of a matrix, ask the plan of each variant.
        """
        works = [stage.work for stage in self.stages if isinstance(stage.work, DistillWork)]
        return tuple(work for work in works if work.classes is None or work.classes.start == 0)


def own_label(label: str) -> str:
    """Return the label of a stage in the plan of one variant, without the variant's name."""
    return label.partition("@")[0]


def _alone(stage: Stage) -> Stage:
    upstream = {name: own_label(label) for name, label in stage.upstream.items()}
    return replace(stage, label=own_label(stage.label), upstream=upstream)


def stage_key(work: Work, inputs: Mapping[str, Digest]) -> Digest:
    """Return the digest of everything that can change an output, and of nothing else."""
    return digest({"work": work.identity(), "inputs": inputs})


def spec_digests(variants: Iterable[Variant]) -> Iterator[tuple[str, Digest]]:
    """Yield name and `spec_digest` of each variant; sections that they share are hashed once."""
    forms = Forms()
    for one in variants:
        yield one.name, digest_of(forms.fields(one.experiment, _UNASKED))


_UNASKED = frozenset({"name", "title", "expect"})


def spec_digest(experiment: Experiment) -> Digest:
    """Return the digest of what a spec asks for: all settings but names, titles, expectations."""
    asked: Json = experiment.model_dump(mode="json", exclude_none=True, exclude=set(_UNASKED))
    return digest(asked)
