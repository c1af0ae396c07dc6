"""All checks, in the order in which they are told, each with a time limit of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ddspec.doctor import engine_checks, gpu_checks, local_checks, probe_checks, store_checks
from ddspec.doctor.finding import Finding, Verdict, problem, refused, unchecked
from ddspec.doctor.patient import Patient
from ddspec.errors import DdspecError


@dataclass(frozen=True, slots=True)
class Check:
    """One question to the machine."""

    name: str
    ask: Callable[[Patient], Finding]
    needs: tuple[str, ...] = ()
    """Names of checks without whose success this one can find nothing."""
    executor: str | None = None
    """Whose jobs depend on it; None for all."""
    limit_s: float = 20.0


GRACE_S = 5.0
PROBE_S = 90.0
"""Creating, starting and removing a container take seconds each on a machine that is busy."""
CHECKS: tuple[Check, ...] = (
    Check("store", store_checks.check_store),
    Check("file system", store_checks.check_file_system),
    Check("disk space", store_checks.check_space),
    Check("claims", store_checks.check_claims, needs=("store",)),
    Check("clock", store_checks.check_clock),
    Check("data", local_checks.check_data),
    Check("GPUs", local_checks.check_gpus),
    Check("runners", local_checks.check_runners, executor="local"),
    Check("shared memory", local_checks.check_shared_memory, executor="local"),
    Check("engine", engine_checks.check_engine, executor="docker", limit_s=45.0),
    Check("limits", engine_checks.check_limits, needs=("engine",), executor="docker"),
    Check("engine disk", engine_checks.check_disk, needs=("engine",), executor="docker"),
    Check("leftovers", engine_checks.check_leftovers, needs=("engine", "store"), executor="docker"),
    Check("image", engine_checks.check_image, needs=("engine",), executor="docker"),
    Check("image source", engine_checks.check_match, needs=("image",), executor="docker"),
    Check("container", probe_checks.check_container, ("image",), "docker", PROBE_S),
    Check("data inside", probe_checks.check_data, ("data", "container"), "docker", PROBE_S),
    Check("GPU runtime", gpu_checks.check_runtime, ("GPUs", "container"), "docker", PROBE_S),
    Check("GPU driver", gpu_checks.check_driver, needs=("GPUs", "image"), executor="docker"),
)


def examine(patient: Patient, checks: Sequence[Check] = CHECKS) -> Iterator[Finding]:
    """Yield what each check finds, as it is found; returns, whatever does not answer."""
    found: dict[str, Verdict] = {}
    for check in checks:
        if check.executor is not None and check.executor not in patient.executors:
            continue
        missing = next((name for name in check.needs if not _well(found.get(name))), None)
        finding = (
            in_time(check, patient)
            if missing is None
            else unchecked(check.name, f"needs `{missing}`")
        )
        found[check.name] = finding.verdict
        yield finding


def in_time(check: Check, patient: Patient) -> Finding:
    """Return what a check finds, or that it did not come to an end.

    A call into a file system whose server is gone cannot be ended from here, so the check is left
    behind in its thread, which ends with the process.
    """
    box: list[Finding | BaseException] = []
    done = threading.Event()  # a join that is interrupted takes the thread for ended (CPython 3.11)

    def ask() -> None:
        try:
            box.append(check.ask(patient))
        except BaseException as error:  # raised again below, in the thread that waits
            box.append(error)
        done.set()

    threading.Thread(target=ask, name=f"check {check.name}", daemon=True).start()
    try:
        done.wait(check.limit_s)
    except KeyboardInterrupt:
        done.wait(GRACE_S)  # most end by themselves, and clean up
        raise
    if not box:
        return problem(
            check.name,
            f"no answer within {check.limit_s:.0f} s",
            "whatever it waits for hangs: a network file system, or the engine; restart that",
        )
    return _finding(check, box[0])


def _finding(check: Check, outcome: Finding | BaseException) -> Finding:
    match outcome:
        case Finding():
            return outcome
        case DdspecError():
            return refused(check.name, outcome)
        case OSError():  # whatever the machine refuses is what a person asked to find out
            told = (outcome.strerror or str(outcome)).lower()
            where = f"{outcome.filename}: " if outcome.filename else ""
            return problem(check.name, f"{where}{told}", "the file or folder must be usable")
        case _:
            raise outcome


def _well(verdict: Verdict | None) -> bool:
    return verdict in (Verdict.OK, Verdict.WARNING)
