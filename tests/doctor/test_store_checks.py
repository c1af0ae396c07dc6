from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ddspec.doctor import store_checks
from ddspec.doctor.finding import Verdict
from ddspec.doctor.mounts import Mounted
from ddspec.doctor.patient import Patient
from ddspec.host import ProcessId, this_process
from ddspec.store.claims import Claim
from ddspec.store.store import open_store

KEY = "ab" + "0" * 62
GONE = ProcessId(this_process().host, this_process().boot, 2**22 + 1, "1")
FAR = ProcessId("another-host", "boot", 1, "1")


def claim_of(patient: Patient, owner: ProcessId) -> Path:
    claims = open_store(patient.home).claims
    claims.take(Claim(KEY, "pool/0", "attempt", "local", None, owner, 0, time.time()))
    return claims.layout.claims / KEY


def test_a_store_that_is_not_there_is_not_made(patient: Patient) -> None:
    finding = store_checks.check_store(patient)

    assert "made by the first run" in finding.text
    assert not patient.home.exists()


def test_a_damaged_store_is_a_problem(patient: Patient) -> None:
    open_store(patient.home).layout.identity.write_text("{")

    finding = store_checks.check_store(patient)

    assert finding.verdict is Verdict.PROBLEM
    assert finding.mend


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        pytest.param("nfs4", "another machine", id="network"),
        pytest.param("tmpfs", "restarts", id="memory"),
        pytest.param("overlay", "container", id="root of a container"),
    ],
)
def test_a_file_system_with_a_risk_is_named(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, kind: str, word: str
) -> None:
    mount = Mounted("/", kind, "server:/export", read_only=False)
    monkeypatch.setattr(store_checks, "mounted", lambda path: mount)

    finding = store_checks.check_store(patient)

    assert finding.verdict is Verdict.WARNING
    assert kind in finding.text
    assert word in finding.text


def test_trying_the_file_system_leaves_nothing(patient: Patient) -> None:
    finding = store_checks.check_file_system(patient)

    assert finding.verdict is Verdict.OK
    assert list(patient.ground.iterdir()) == []


def test_what_the_file_system_lacks_is_named(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setitem(store_checks.ATTEMPTS, "hard links", refuse)

    finding = store_checks.check_file_system(patient)

    assert finding.verdict is Verdict.PROBLEM
    assert "hard links: operation not supported" in finding.text
    assert list(patient.ground.iterdir()) == []


@pytest.mark.parametrize(
    ("age_s", "stays"),
    [pytest.param(7200, False, id="old"), pytest.param(10, True, id="of another that runs now")],
)
def test_what_a_killed_examination_left_is_removed(
    patient: Patient, age_s: float, stays: bool
) -> None:
    left = patient.ground / f"{store_checks.PREFIX}left"
    left.mkdir()
    os.utime(left, (time.time() - age_s,) * 2)

    store_checks.check_file_system(patient)

    assert left.exists() is stays


@pytest.mark.parametrize(
    ("free", "files", "verdict"),
    [
        pytest.param(100 << 20, 10**6, Verdict.PROBLEM, id="no bytes"),
        pytest.param(5 << 30, 10**6, Verdict.WARNING, id="few bytes"),
        pytest.param(50 << 30, 10**6, Verdict.OK, id="enough"),
        pytest.param(50 << 30, 10, Verdict.PROBLEM, id="no files"),
    ],
)
def test_room_is_judged_by_bytes_and_files(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, free: int, files: int, verdict: Verdict
) -> None:
    status = os.statvfs_result((4096, 4096, 10**9, 0, free // 4096, 10**7, 0, files, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda path: status)

    assert store_checks.check_space(patient).verdict is verdict


def test_claims_of_a_run_that_is_gone_are_no_hindrance(patient: Patient) -> None:
    claim_of(patient, GONE)

    finding = store_checks.check_claims(patient)

    assert finding.verdict is Verdict.OK
    assert "gone" in finding.text


@pytest.mark.parametrize(
    ("silent_s", "verdict"),
    [
        pytest.param(7200, Verdict.WARNING, id="silent for long"),
        pytest.param(5, Verdict.OK, id="heard of just now"),
    ],
)
def test_claims_of_another_host_are_a_risk_when_it_is_silent(
    patient: Patient, silent_s: float, verdict: Verdict
) -> None:
    path = claim_of(patient, FAR)
    os.utime(path, (time.time() - silent_s,) * 2)

    assert store_checks.check_claims(patient).verdict is verdict
