"""The checks that need a container engine, on the one of this machine."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_engine import engine, engine_reason, fake_image

from ddspec.doctor import engine_checks, probe_checks
from ddspec.doctor.checkup import CHECKS, examine
from ddspec.doctor.finding import Verdict
from ddspec.doctor.patient import Patient
from ddspec.doctor.probe import LABEL, probe, remove_old
from ddspec.executors.container import ATTEMPT, HOME, STORE
from ddspec.host import this_process
from ddspec.store.store import open_store

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(bool(engine_reason()), reason=engine_reason() or "an engine answers"),
]


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    tmp_path.chmod(0o755)
    return Patient(home=tmp_path / "home", environ=dict(os.environ), image_name=fake_image())


@pytest.fixture
def left_over() -> Iterator[Any]:
    """Create containers with labels, and remove them."""
    api, made = engine().api, []

    def leave(**labels: str) -> str:
        body = {"Image": fake_image(), "Labels": {key: value for key, value in labels.items()}}
        made.append(api.create_container_from_config(body)["Id"])
        return str(made[-1])

    yield leave
    for one in made:
        if one in ids(all=True):
            api.remove_container(one, force=True)


def ids(**asked: Any) -> set[str]:
    return {one["Id"] for one in engine().api.containers(**asked)}


def test_every_check_of_an_engine_ends_well_here(patient: Patient) -> None:
    patient = replace(patient, executors=frozenset({"docker"}))
    checks = [check for check in CHECKS if check.name != "disk space"]  # the machine's own affair

    found = list(examine(patient, checks))

    assert [finding for finding in found if finding.verdict is Verdict.PROBLEM] == []


def test_a_container_is_walled_in_and_sees_the_store(patient: Patient) -> None:
    if patient.facts.rootless:
        pytest.skip("whether a rootless engine can set limits depends on the machine's cgroups")

    assert probe_checks.check_container(patient).verdict is Verdict.OK


def test_a_trial_leaves_neither_container_nor_folder(patient: Patient) -> None:
    probe(patient)

    mine = [
        one
        for one in engine().api.containers(all=True, filters={"label": [LABEL]})
        if json.loads(one["Labels"][LABEL]) == dataclasses.asdict(this_process())
    ]
    assert mine == []
    assert list(patient.ground.iterdir()) == []


@pytest.mark.parametrize(
    ("pid", "stays"),
    [
        pytest.param(os.getpid(), True, id="of a living examination"),
        pytest.param(2**22 + 1, False, id="of a killed one"),
    ],
)
def test_the_container_of_a_killed_examination_is_removed_by_the_next(
    patient: Patient, left_over: Any, pid: int, stays: bool
) -> None:
    owner = dataclasses.asdict(replace(this_process(), pid=pid))
    left = left_over(**{LABEL: json.dumps(owner)})

    remove_old(patient)

    assert (left in ids(all=True)) is stays


def test_a_container_that_nobody_claims_is_named(patient: Patient, left_over: Any) -> None:
    store = open_store(patient.home)
    left_over(**{STORE: store.id, HOME: os.path.realpath(patient.home), ATTEMPT: "0123-89"})

    finding = engine_checks.check_leftovers(patient)

    assert finding.verdict is Verdict.WARNING
    assert "ddspec-0123-89" in finding.text


@pytest.mark.skipif(os.geteuid() != 0, reason="the data would belong to the container's user")
def test_data_that_only_their_owner_reads_are_a_problem(patient: Patient, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "file").write_text("x")

    finding = probe_checks.check_data(replace(patient, data=data))

    assert finding.verdict is Verdict.PROBLEM
    assert "permission denied" in finding.text


def test_data_with_a_link_that_leads_out_are_a_risk(patient: Patient, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "link").symlink_to("/etc/hostname")

    finding = probe_checks.check_data(replace(patient, data=data))

    assert finding.verdict is Verdict.WARNING


def test_data_that_hold_the_store_are_refused(patient: Patient) -> None:
    open_store(patient.home)

    finding = probe_checks.check_data(replace(patient, data=patient.home.parent))

    assert finding.verdict is Verdict.PROBLEM
    assert "holds the store" in finding.text


def test_an_image_that_is_not_there_is_a_problem_with_a_way_out(patient: Patient) -> None:
    finding = engine_checks.check_image(replace(patient, image_name="ddspec-none:1"))

    assert finding.verdict is Verdict.PROBLEM
    assert "ddspec-none:1" in finding.text
    assert finding.mend
