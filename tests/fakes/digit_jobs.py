"""Stages that prepare the digits, for jobs that are run in the process of a test."""

from __future__ import annotations

from ddspec.spec.facts import FACTS
from ddspec.wire.job import JobStage
from ddspec.wire.work import PrepareWork, SourceModel

DIGITS = FACTS["digits"]
SOURCE = SourceModel(
    name="digits",
    content=DIGITS.content or "",
    classes=DIGITS.class_names,
    size=8,
    channels=1,
    validation=0.2,
    holdout=DIGITS.holdout,
)
SPLITS = {"train": "a" * 64, "test": "b" * 64, "validation": "c" * 64}


def prepare(split: str) -> JobStage:
    """Return the stage of one split, with a fifth of training held out."""
    work = PrepareWork(source=SOURCE, split=split)
    return JobStage(key=SPLITS[split], label=f"prepare/{split}", work=work, inputs={})
