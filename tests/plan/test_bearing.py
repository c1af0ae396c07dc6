"""Which setting a changed field of a work is laid to."""

from __future__ import annotations

from typing import get_args

import pytest

from ddspec.plan.bearing import BEARING, behind
from ddspec.spec.experiment import Experiment
from ddspec.wire.model import WorkModel
from ddspec.wire.work import Work

NAME = "name"
"""A setting that moves no stage, and is changed beside the others."""


@pytest.mark.parametrize("work", get_args(get_args(Work)[0]), ids=lambda work: work.__name__)
def test_every_field_of_a_work_has_settings_behind_it(work: type[WorkModel]) -> None:
    known = {row.rpartition(".")[2] for row in BEARING} | set(Experiment.model_fields)

    assert set(work.model_fields) - known == set()


@pytest.mark.parametrize(
    ("head", "field", "changed", "meant"),
    [
        pytest.param(
            "pool", "sharpness.rho", "pool.sharpness.rho", "pool.sharpness.rho", id="flat experts"
        ),
        pytest.param("pool", "kind", "pool", "pool", id="another kind of pool"),
        pytest.param("pool", "parameters", "pool.parameters", "pool.parameters", id="cut"),
        pytest.param("distill", "schedule.members", "pool", "pool", id="members of another pool"),
        pytest.param(
            "distill",
            "schedule.apart",
            "matcher.models_per_image",
            "matcher.models_per_image",
            id="networks of an image",
        ),
        pytest.param("distill", "networks.every", "pool.every", "pool.every", id="queue"),
        pytest.param(
            "evaluate", "teachers.average", "labels.average", "labels.average", id="teachers"
        ),
        pytest.param("evaluate", "teachers.record", "pool.record", "pool.record", id="snapshots"),
        pytest.param(
            "relabel", "batch", "evaluate.protocol.batch", "evaluate.protocol.batch", id="views"
        ),
    ],
)
def test_a_field_is_laid_to_what_it_is_made_from(
    head: str, field: str, changed: str, meant: str
) -> None:
    assert behind(head, field, [NAME, changed]) == (meant,)
