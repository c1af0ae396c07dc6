"""Runs and plans whose stages no memory holds end before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_cli import Shell

from ddspec.cli.room import room_of, tell_tight_stages
from ddspec.engine.gpus import Gpu
from ddspec.errors import DdspecError, Exit
from ddspec.executors.base import Terms
from ddspec.plan.compile import compile_spec
from ddspec.plan.estimate import stage_costs
from ddspec.plan.ir import Plan
from ddspec.plan.placement import HOST_BYTES
from ddspec.run.desk import Orders
from ddspec.run.measured_runs import counts_of
from ddspec.spec.load import load_spec
from ddspec.store.journal import Entry
from ddspec.store.store import open_store

GIB = 2**30
DIGITS = Path(__file__).parents[2] / "specs" / "digits.yaml"
MTT = "name: x\npreset: mtt\ndataset: {kind: cifar10}\nbudget: {images_per_class: 50}\n"
SMALL, LARGE = (
    Gpu(str(index), f"GPU-{index}", "NVIDIA GeForce RTX 2080", gib * GIB, "sm_75", "580.0")
    for index, gib in enumerate((8, 24))
)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddspec.engine.gpus.host_gpus", lambda: (SMALL, LARGE))


@pytest.fixture(scope="module")
def digits() -> Plan:
    return compile_spec(load_spec(DIGITS))


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("uuids", "gib"),
    [
        pytest.param((), 24, id="whichever fits"),
        pytest.param(("GPU-0",), 8, id="the one that is named"),
        pytest.param(("GPU-0", "GPU-1"), 8, id="any of two, so the smaller"),
    ],
)
def test_a_job_has_the_memory_of_its_gpu(uuids: tuple[str, ...], gib: int) -> None:
    room = room_of(Orders(device="cuda"), Terms(gpus=uuids))

    assert room is not None
    assert room.accelerator
    assert room.memory_bytes == gib * GIB


def test_a_job_in_a_container_has_what_it_is_given() -> None:
    room = room_of(Orders(), Terms(memory=2 * GIB))

    assert room is not None
    assert not room.accelerator
    assert room.memory_bytes == 2 * GIB


def test_a_run_that_cannot_fit_ends_before_it_starts(digits: Plan) -> None:
    with pytest.raises(DdspecError) as caught:
        tell_tight_stages(digits, digits.stages, Orders(), Terms(memory=GIB // 4))

    assert caught.value.exit == Exit.UNABLE
    assert "`distill` needs" in str(caught.value)


def test_a_run_that_may_just_fit_is_told_so(
    digits: Plan, capsys: pytest.CaptureFixture[str]
) -> None:
    needed = HOST_BYTES + stage_costs(digits)["distill"].memory_bytes
    tell_tight_stages(digits, digits.stages, Orders(), Terms(memory=round(needed / 1.1)))

    assert "which may just do" in capsys.readouterr().err


def test_stages_that_will_not_run_need_no_room(digits: Plan) -> None:
    tell_tight_stages(digits, (), Orders(), Terms(memory=1))


def test_a_plan_for_a_gpu_that_is_too_small_is_refused(shell: Shell) -> None:
    shell.write("mtt.yaml", MTT)

    small, large = (shell("plan", "mtt.yaml", "--gpu", name) for name in ("rtx2080", "h200"))

    assert small.code == 6
    assert "`distill` needs 45 GiB of memory, GeForce RTX 2080 has 8.0 GiB" in small.err
    assert "a6000" in small.err
    assert large.code == 0


def test_a_gpu_of_no_table_is_bad_usage(shell: Shell) -> None:
    ended = shell("plan", "small.yaml", "--gpu", "rtx208")

    assert ended.code == 2
    assert "did you mean `rtx2080`?" in ended.err


def test_a_plan_after_a_run_has_the_times_of_where_it_ran(shell: Shell) -> None:
    before = shell("plan", "small.yaml")
    store = open_store(shell.home)
    plan = compile_spec(load_spec(shell.folder / "small.yaml"))
    key = plan.stage("distill").key
    assert key is not None
    counted = {**counts_of(plan)[key], "seconds": 30.0}
    engine = {"device_name": "", "threads": 1}
    store.journal.record(
        Entry(
            key,
            "distill",
            "distill",
            "one",
            "local",
            "here",
            1.0,
            2.0,
            0,
            "published",
            engine=engine,
            counted=counted,
        )
    )
    after = shell("plan", "small.yaml")

    assert "measured run" not in before.out
    assert "cpu: formula narrowed by 1 measured run here" in after.out
