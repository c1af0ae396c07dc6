"""Policies: what a team allows a plan to be, as a person writes it.

format: ddspec.policy/1
device: a6000                                  # on which hours are judged
rules:
  - {kind: gpu_hours, at_most: 200, reason: what the group may use in a week}
  - {kind: memory, at_most: 48 GiB, action: warn}
  - {kind: test_split, action: deny}
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias, Union

from pydantic import Field, model_validator

from ddspec.errors import Place
from ddspec.spec.base import Count, Name, Natural, Positive, SpecModel, Text
from ddspec.spec.explain import validate
from ddspec.spec.nodes import Document, compose
from ddspec.spec.source import read_source

Size = Annotated[
    str, Field(strict=True, pattern=r"^[0-9]{1,9}(\.[0-9]{1,3})? ?([kMGT]B|[KMGT]iB|B)$")
]
"""Bytes with their unit: `48 GiB`, `1.5 TB`."""
Names = Annotated[tuple[Name, ...], Field(min_length=1)]

_UNITS = {
    "B": 1,
    **{f"{prefix}B": 1000**n for n, prefix in enumerate("kMGT", 1)},
    **{f"{prefix}iB": 1024**n for n, prefix in enumerate("KMGT", 1)},
}


def bytes_of(size: str) -> int:
    """Return a size in bytes."""
    match = re.fullmatch(r"([0-9.]+) ?([A-Za-z]+)", size)
    assert match is not None  # the model has checked it
    return int(float(match[1]) * _UNITS[match[2]])


class RuleSpec(SpecModel):
    """What all rules have in common."""

    action: Literal["warn", "deny"] = "deny"
    """`deny` ends `plan` and `run` with exit code 5, `warn` only says so."""
    reason: Text | None = None
    """Why the rule is there, for those who meet it."""


class GpuHoursRule(RuleSpec):
    """All stages from scratch take at most so many hours of one GPU, by formula."""

    kind: Literal["gpu_hours"]
    at_most: Positive
    """Hours."""
    device: Name | None = None
    """By default the policy's `device`."""
    judged_by: Literal["low", "high"] = "high"
    """Which end of the forecast must keep to it."""


class MemoryRule(RuleSpec):
    """No stage needs more memory of its device."""

    kind: Literal["memory"]
    at_most: Size
    """Bytes with their unit: `48 GiB`."""


class DiskRule(RuleSpec):
    """All stages together write at most so much into the store."""

    kind: Literal["disk"]
    at_most: Size
    """Bytes with their unit: `100 GB`."""


class StagesRule(RuleSpec):
    """A plan has at most so many stages."""

    kind: Literal["stages"]
    at_most: Count
    """Stages, each counted once however many variants share it."""


class BaselinesRule(RuleSpec):
    """Every experiment is compared with at least so many networks on each of these sets."""

    kind: Literal["baselines"]
    random: Natural = 0
    """On random real images of the same budget."""
    random_hard: Natural | None = None
    """On the same images with hard labels, where others learn from soft ones."""
    init: Natural = 0
    """On what the synthetic images were before learning."""
    full: Natural = 0
    """On the whole training split."""
    herding: Natural | None = None
    """On images whose mean feature is nearest to that of their class."""
    k_center: Natural | None = None
    """On images that leave none of their class far."""
    forgetting: Natural | None = None
    """On images that were forgotten most often in training."""


class RepeatsRule(RuleSpec):
    """Every set is judged by at least so many networks."""

    kind: Literal["repeats"]
    at_least: Count
    """Least value of `evaluate.repeats`."""


class TestSplitRule(RuleSpec):
    """Nothing is chosen on the test split.

    Variants of a matrix that differ in more than what is distilled are candidates for a choice, so
    they are evaluated on validation images; numbers of the one that is chosen are then reported.
    """

    kind: Literal["test_split"]
    reported: tuple[Text, ...] = ("budget", "dataset", "preset", "seed", "evaluate.networks")
    """Settings in which variants that are reported side by side may differ."""


class DatasetsRule(RuleSpec):
    """Only these datasets are used."""

    kind: Literal["datasets"]
    allow: Names
    """Kinds of datasets."""


class PresetsRule(RuleSpec):
    """Only these presets are used; `none` stands for a spec without one."""

    kind: Literal["presets"]
    allow: Names
    """Names of presets."""


class ProtocolsRule(RuleSpec):
    """Only these evaluation protocols are used, unchanged."""

    kind: Literal["protocols"]
    allow: Names
    """Names of built-in protocols."""


class ImageRule(RuleSpec):
    """Containers run an image that is named exactly.

    Judged by the image that the lock names and, when a run begins, by the one that it would use.
    """

    kind: Literal["image"]
    pinned: bool = True
    """By a repository digest, which means the same image on every host."""
    allow: tuple[Text, ...] | None = None
    """Names that it may have, with `*` for any text: `registry.example/team/*@sha256:*`."""


PolicyRule: TypeAlias = Annotated[
    Union[  # noqa: UP007  # a table that grows by a line
        GpuHoursRule,
        MemoryRule,
        DiskRule,
        StagesRule,
        BaselinesRule,
        RepeatsRule,
        TestSplitRule,
        DatasetsRule,
        PresetsRule,
        ProtocolsRule,
        ImageRule,
    ],
    Field(discriminator="kind"),
]


class Policy(SpecModel):
    """Rules over plans, each of which warns or denies."""

    format: Literal["ddspec.policy/1"]
    """What this file is."""
    device: Name | None = None
    """Name of the device on which hours are judged: `a6000`, `h100`."""
    rules: Annotated[tuple[PolicyRule, ...], Field(min_length=1, max_length=1000)]
    """In the order in which they are told."""

    @model_validator(mode="after")
    def _hours_of_something(self) -> Self:
        for rule in self.rules:
            if isinstance(rule, GpuHoursRule) and rule.device is None and self.device is None:
                raise ValueError("`gpu_hours` needs a `device`, its own or the policy's")
        return self


@dataclass(frozen=True, slots=True)
class LoadedPolicy:
    """A policy, and the document that it was read from."""

    policy: Policy
    document: Document = field(repr=False)

    @property
    def file(self) -> str:
        """Name of the file, as it was given."""
        return self.document.source.file

    def place(self, rule: int) -> Place:
        """Return where the rule of a number, from 0, is written."""
        return self.document.place("rules", rule)


def load_policy(path: Path) -> LoadedPolicy:
    """Read a policy; raises `DdspecError` (invalid) with all its problems, located."""
    document = compose(read_source(path, sections=Policy.model_fields))
    return LoadedPolicy(validate(document, Policy), document)
