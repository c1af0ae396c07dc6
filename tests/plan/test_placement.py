"""Stages that no memory holds are refused, with what would hold them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.plan.compile import compile_spec
from ddspec.plan.estimate import stage_costs
from ddspec.plan.ir import Plan
from ddspec.plan.placement import SURE, Room, misfits, require_room, room_on
from ddspec.spec.load import load_text

Specified = Callable[[str], Plan]
GIB = 2**30


def preset(method: str, images: int) -> Plan:
    text = (
        f"name: x\npreset: {method}\ndataset: {{kind: cifar10}}\n"
        f"budget: {{images_per_class: {images}}}\n"
    )
    return compile_spec(load_text(text, "x.yaml"))


def refused(plan: Plan, room: Room) -> tuple[Diagnostic, ...]:
    with pytest.raises(DdspecError) as caught:
        require_room(plan, room)
    assert caught.value.exit == Exit.UNABLE
    return tuple(caught.value.diagnostics)


def small_room(gib: float, *, accelerator: bool = True) -> Room:
    return Room("a small device", int(gib * GIB), accelerator)


def test_a_plan_that_fits_is_told_nothing_of(specified: Specified) -> None:
    room = room_on("rtx2080")

    assert room is not None
    assert require_room(specified("cifar10"), room) == ()


def test_what_cannot_fit_is_refused_with_devices_and_settings_that_would_do() -> None:
    room = room_on("rtx2080")
    assert room is not None
    (problem,) = refused(preset("mtt", 50), room)

    assert "`distill` needs 45 GiB of memory, GeForce RTX 2080 has 8.0 GiB" in problem.message
    assert "fits: a6000, a100-80, h100, h200" in problem.hint
    assert "`matcher.gradient: recomputed`" in problem.hint


def test_views_are_named_that_fit(specified: Specified) -> None:
    plan = specified("imagenet100")
    needed = small_room(1).needed(stage_costs(plan)["distill/0"])
    room = Room("a small device", math.floor(needed / SURE) - 1)
    problem = refused(plan, room)[0]

    assert problem.message.startswith("`distill/0..4` need ")
    assert "`matcher.max_views: 64`" in problem.hint


def test_what_a_forecast_may_err_about_is_a_note() -> None:
    room = room_on("rtx2080")
    assert room is not None
    (note,) = require_room(preset("mtt", 10), room)

    assert "`distill` needs 9.6 GiB" in note.message


def test_only_the_stages_that_are_asked_about_count() -> None:
    plan, room = preset("mtt", 50), room_on("rtx2080")
    assert room is not None
    others = [stage for stage in plan if stage.label != "distill"]

    assert misfits(plan, room, stages=others) == ((), ())


def test_stages_that_need_the_same_are_told_of_once(specified: Specified) -> None:
    problems = refused(specified("imagenet100"), small_room(0.6))
    pools = [one for one in problems if "`pool/0..9`" in one.message]

    assert len(pools) == 1
    assert "`pool.batch: " in pools[0].hint or "fits: " in pools[0].hint


def test_a_cpu_holds_no_images_of_its_own(specified: Specified) -> None:
    plan = specified("cifar10")
    cost = stage_costs(plan)["pool/0"]
    on_gpu, on_cpu = small_room(1).needed(cost), small_room(1, accelerator=False).needed(cost)

    assert cost.resident_bytes == 50_000 * 3 * 32 * 32
    assert on_gpu - on_cpu == cost.resident_bytes
    assert "fits: " not in refused(plan, small_room(0.01, accelerator=False))[0].hint


def test_a_stage_of_any_variant_is_refused() -> None:
    text = (
        "name: x\npreset: mtt\ndataset: {kind: cifar10}\nbudget: {images_per_class: 1}\n"
        "matrix:\n  budget.images_per_class: [1, 50]\n"
    )
    plan = compile_spec(load_text(text, "x.yaml"))
    room = room_on("rtx2080")
    assert room is not None
    (problem,) = refused(plan, room)

    assert problem.message.startswith("`distill@")
    assert "recomputed" in problem.hint


def test_stages_of_many_variants_are_told_of_in_one_line() -> None:
    text = (
        "name: x\npreset: mtt\ndataset: {kind: cifar10}\nbudget: {images_per_class: 1}\n"
        "matrix:\n  update.learning_rate: [1.0, 10.0, 100.0]\n"
    )
    plan = compile_spec(load_text(text, "x.yaml"))
    problems = refused(plan, small_room(0.5))
    (problem,) = (one for one in problems if "`evaluate/convnet3/" in one.message)

    assert problem.message.startswith(
        "`evaluate/random/convnet3/0..9`, `evaluate/init/convnet3/0..4`, "
        "`evaluate/convnet3/0..4@learning_rate-1`, `evaluate/convnet3/0..4@learning_rate-10` "
        "and 1 more need "
    )
