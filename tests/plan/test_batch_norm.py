"""Frozen batch norm is in the key of a distillation only where a network has batch norm."""

from __future__ import annotations

from typing import Any

import pytest

from ddspec.errors import DdspecError
from ddspec.plan.compile import compile_spec
from ddspec.spec.load import load_text
from ddspec.wire.work import DistillWork

SPEC = """\
name: small
preset: {preset}
dataset: {{kind: cifar10}}
budget: {{images_per_class: 10}}
network: {{norm: {norm}}}
{more}"""


def distilling(preset: str, norm: str, more: str = "") -> tuple[DistillWork, Any]:
    plan = compile_spec(load_text(SPEC.format(preset=preset, norm=norm, more=more), "spec.yaml"))
    (stage,) = (stage for stage in plan if isinstance(stage.work, DistillWork))
    assert isinstance(stage.work, DistillWork)
    return stage.work, stage.work.identity()


def with_batch_norm(value: str) -> str:
    return f"matcher: {{batch_norm: {value}}}"


@pytest.mark.parametrize("preset", ["dc", "dsa"])
def test_dc_and_dsa_freeze_batch_norm_where_there_is_any(preset: str) -> None:
    with_it, _ = distilling(preset, "batch")
    without, _ = distilling(preset, "instance")

    assert with_it.matcher.model_dump()["batch_norm"] == "frozen"
    assert without.matcher.model_dump()["batch_norm"] is None


def test_batch_norm_of_each_batch_has_to_be_asked_for() -> None:
    with pytest.raises(DdspecError, match="its statistics are that class's") as told:
        distilling("idc", "batch")

    assert "matcher.batch_norm: frozen" in str(told.value.diagnostics[0].hint)


def test_frozen_statistics_are_another_work_than_those_of_batches() -> None:
    batch, by_batch = distilling("idc", "batch", with_batch_norm("batch"))
    _, frozen = distilling("idc", "batch", with_batch_norm("frozen"))

    assert batch.matcher.model_dump()["batch_norm"] is None
    assert frozen != by_batch


def test_freezing_what_is_not_there_is_the_same_work() -> None:
    _, frozen = distilling("idc", "instance", with_batch_norm("frozen"))
    _, plain = distilling("idc", "instance")

    assert frozen == plain
