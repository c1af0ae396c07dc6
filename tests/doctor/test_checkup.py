from __future__ import annotations

import errno
import threading

import pytest

from ddspec.doctor.checkup import CHECKS, Check, examine
from ddspec.doctor.finding import Finding, Verdict, ok, problem, unchecked, warning
from ddspec.doctor.patient import Patient
from ddspec.errors import DdspecError, Exit


def fails_with(error: BaseException) -> Check:
    def ask(patient: Patient) -> Finding:
        raise error

    return Check("one", ask)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(ok("one", ""), Verdict.OK, id="well"),
        pytest.param(warning("one", "", "mend"), Verdict.OK, id="with a risk"),
        pytest.param(problem("one", "", "mend"), Verdict.UNCHECKED, id="broken"),
        pytest.param(unchecked("one", ""), Verdict.UNCHECKED, id="not known"),
    ],
)
def test_a_check_is_made_only_where_what_it_needs_is_well(
    patient: Patient, first: Finding, second: Verdict
) -> None:
    checks = (
        Check("one", lambda patient: first),
        Check("two", lambda patient: ok("two", ""), needs=("one",)),
    )

    found = list(examine(patient, checks))

    assert [finding.verdict for finding in found] == [first.verdict, second]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        pytest.param(
            DdspecError("the words", exit=Exit.UNABLE, hint="the way"), "the words", id="ours"
        ),
        pytest.param(
            PermissionError(errno.EACCES, "Permission denied", "/a/file"),
            "/a/file: permission denied",
            id="of the machine",
        ),
    ],
)
def test_an_error_of_the_surroundings_becomes_a_line(
    patient: Patient, error: Exception, text: str
) -> None:
    (finding,) = examine(patient, [fails_with(error)])

    assert (finding.verdict, finding.text) == (Verdict.PROBLEM, text)
    assert finding.mend


def test_a_bug_stays_an_error(patient: Patient) -> None:
    with pytest.raises(ZeroDivisionError):
        list(examine(patient, [fails_with(ZeroDivisionError())]))


def test_what_never_answers_is_left_behind(patient: Patient) -> None:
    never = threading.Event()

    def wait(patient: Patient) -> Finding:
        never.wait()
        return ok("slow", "")

    found = list(
        examine(
            patient,
            [Check("slow", wait, limit_s=0.05), Check("next", lambda patient: ok("next", ""))],
        )
    )
    never.set()

    assert [finding.verdict for finding in found] == [Verdict.PROBLEM, Verdict.OK]
    assert "no answer" in found[0].text


def test_checks_of_another_executor_are_left_out(patient: Patient) -> None:
    checks = [
        Check("here", lambda patient: ok("here", ""), executor="local"),
        Check("there", lambda patient: ok("there", ""), executor="docker"),
        Check("both", lambda patient: ok("both", "")),
    ]
    local = Patient(home=patient.home, environ={}, executors=frozenset({"local"}))

    assert [finding.check for finding in examine(local, checks)] == ["here", "both"]


def test_every_check_needs_only_checks_before_it() -> None:
    before: set[str] = set()
    for check in CHECKS:
        assert set(check.needs) <= before
        before.add(check.name)
