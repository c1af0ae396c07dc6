from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ddspec.doctor import gpu_checks, local_checks
from ddspec.doctor.finding import Verdict
from ddspec.doctor.patient import Patient
from ddspec.doctor.probe import Told
from ddspec.engine.gpus import Found, Gpu
from ddspec.engine.images import RunnerImage
from ddspec.errors import DdspecError, Exit

GPU = Gpu("0", "GPU-1", "NVIDIA H100", 80 << 30, "sm_90", "570.86.10")
IMAGE = RunnerImage("r", "i", None, "s", {}, "0", "3.12", "2.11", "12.8", "", 1)
TOLD = Told(
    uid=1,
    gid=1,
    capabilities=0,
    confined=True,
    root_error="",
    tmp_error=None,
    folder_error=None,
    data_error=None,
    networks="",
    socket=None,
    memory=None,
    pids=None,
    shared=0,
    nvidia=True,
)


class Machine(Patient):
    """A machine with a driver, without asking it."""

    found = Found((GPU,), GPU.driver)
    chosen = (GPU,)
    image = IMAGE


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(home=tmp_path, environ={})


def test_a_gpu_that_a_container_sees_is_well(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_checks, "probe", lambda patient, gpu: TOLD)

    assert gpu_checks.check_runtime(machine).verdict is Verdict.OK


def test_an_engine_without_a_gpu_runtime_is_a_problem(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(patient: Patient, gpu: str) -> Told:
        raise DdspecError("no GPU runtime", exit=Exit.UNABLE, hint="install it")

    monkeypatch.setattr(gpu_checks, "probe", refuse)

    finding = gpu_checks.check_runtime(machine)

    assert (finding.verdict, finding.mend) == (Verdict.PROBLEM, "install it")


def test_a_runtime_that_hands_on_nothing_is_a_problem(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    blind = TOLD.model_copy(update={"nvidia": False})
    monkeypatch.setattr(gpu_checks, "probe", lambda patient, gpu: blind)

    assert gpu_checks.check_runtime(machine).verdict is Verdict.PROBLEM


@pytest.mark.parametrize(
    ("cuda", "verdict"),
    [
        pytest.param("12.8", Verdict.OK, id="of the driver's time"),
        pytest.param("13.0", Verdict.PROBLEM, id="too new for it"),
        pytest.param("", Verdict.UNCHECKED, id="none"),
    ],
)
def test_the_driver_is_held_against_the_cuda_of_the_image(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, cuda: str, verdict: Verdict
) -> None:
    monkeypatch.setattr(Machine, "image", replace(IMAGE, cuda=cuda))

    assert gpu_checks.check_driver(machine).verdict is verdict


def test_a_gpu_that_is_lost_is_named(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Machine, "found", Found((GPU,), GPU.driver, ("GPU 1 is lost",)))

    finding = local_checks.check_gpus(machine)

    assert finding.verdict is Verdict.WARNING
    assert "GPU 1 is lost" in finding.text
