"""A branch's specs compared with where it began, each as one report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ddspec.cli.changed_specs import Found, plan_of, specs_beside
from ddspec.cli.drift import drift_of
from ddspec.cli.inputs import Opened
from ddspec.cli.policy import verdicts_on
from ddspec.cli.sides import Target, as_written
from ddspec.console.review import (
    MAX_REPORTS,
    PlanFile,
    PlanFileState,
    PolicyRow,
    Report,
    Review,
    Revision,
    line,
)
from ddspec.console.review_report import Beside, Version, invalid, report_of
from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.plan.codec import check_plan
from ddspec.plan.effort import Clock
from ddspec.spec import revisions
from ddspec.spec.revisions import Repository, repository_of

HERE = "working tree"


@dataclass(frozen=True, slots=True)
class Compared:
    """One spec on both sides, compiled as far as it can be."""

    report: Report
    before: Opened | None = None
    after: Opened | None = None
    problems: Sequence[Diagnostic] = ()
    """Why it cannot be compiled as it is now."""


def compared_with(
    base: str, named: Sequence[str], clock: Clock, policy: Path | None = None
) -> tuple[Review, list[Compared]]:
    """Compare the specs of some files and folders with where this branch left a revision.

    Specs that do not change, and whose plan file is current, are left out, unless they are named
    themselves. Raises `DdspecError` (usage, unable) for what cannot be looked up.
    """
    repository = repository_of(Path.cwd())
    tip = repository.revision(base)
    fork = repository.fork(tip) or tip
    found = specs_beside(repository, fork, named)
    asked = {repository.inside(Path(name)) for name in named}
    every = [_Both(repository, fork, one, clock, policy).compared() for one in found]
    shown = [one for one in every if one.report.path in asked or not _is_unchanged(one.report)]
    review = Review(
        base=Revision(name=line(base), commit=fork.commit),
        head=Revision(name=HERE),
        reports=tuple(one.report for one in shown[:MAX_REPORTS]),
        omitted=max(0, len(shown) - MAX_REPORTS),
    )
    return review, shown


def version_of(opened: Opened, rooted: Callable[[str], str] = str) -> Version:
    """Return one side of a report."""
    loaded = opened.loaded
    if loaded is None:
        return Version(opened.plan, notes=opened.notes, rooted=rooted)
    return Version(
        opened.plan,
        loaded.place,
        opened.notes,
        loaded.disagreements,
        opened.settings(),
        rooted,
    )


def judged(opened: Opened, document: Path, policy: Path | None) -> tuple[PolicyRow, ...]:
    """Return what the team's policy says of a plan; nothing without one."""
    verdicts = verdicts_on(opened, document, policy)
    if not verdicts:
        return ()
    from ddspec.console.policy_view import policy_rows

    return policy_rows(verdicts)


def drifted(before: Opened | None, after: Opened) -> tuple[Diagnostic, ...]:
    """Return what is not as locks say: data since the other side, and runners here."""
    found = list(drift_of(after))
    if before is not None and before.lock is not None and after.lock is not None:
        from ddspec.plan.drift import data_drift

        found += data_drift(before.lock, after.lock)
    return tuple(Diagnostic(f"{one.part}: {one.message}") for one in found)


def _is_unchanged(report: Report) -> bool:
    stale = report.plan_file is not None and report.plan_file.state == "stale"
    return report.status == "same" and not stale


@dataclass(frozen=True, slots=True)
class _Both:
    """A spec in the working tree and at the base."""

    repository: Repository
    base: revisions.Revision
    found: Found
    clock: Clock
    policy: Path | None

    def compared(self) -> Compared:
        found = self.found
        if not found.touched and self._plan_file() is None:
            return Compared(Report(path=line(found.path), status="same"))
        before, problem = self._before()
        if not found.here:
            if before is None:
                return Compared(Report(path=line(found.path), status="deleted"))
            return Compared(report_of(found.path, self._then(before), None), before)
        try:
            after = as_written(Target(self._named(found.path)))
        except DdspecError as error:
            report = invalid(found.path, error.diagnostics, self._rooted)
            return Compared(report, before, problems=error.diagnostics)
        beside = Beside(
            was=found.was if found.was != found.path else None,
            plan_file=self._plan_file(),
            policy=judged(after, Path(self._named(found.path)), self.policy),
            drift=(*(() if problem is None else (problem,)), *drifted(before, after)),
            clock=self.clock,
        )
        now = version_of(after, self._rooted)
        then = None if before is None else self._then(before)
        return Compared(report_of(found.path, then, now, beside), before, after)

    def _before(self) -> tuple[Opened | None, Diagnostic | None]:
        """Return the spec at the base, or why what was there cannot be compiled any more."""
        if self.found.was is None:
            return None, None
        try:
            return as_written(Target(self.found.was, self.base)), None
        except DdspecError as error:
            first = error.diagnostics[0]
            message = f"at {self.base.name} this version cannot compile it: {first.message}"
            return None, replace(first, message=message, place=None)

    def _then(self, opened: Opened) -> Version:
        return version_of(opened, lambda file: file.removeprefix(f"{self.base.name}:"))

    def _plan_file(self) -> PlanFile | None:
        """Return the state of the committed plan; None where the spec has and had none."""
        path = plan_of(self.found.path)
        named = Path(self._named(path))
        if not named.exists():
            was = self.found.was
            had = was is not None and self.base.entry(plan_of(was)) is not None
            return PlanFile(path=line(path), state="missing") if had else None
        try:
            check_plan(named, Path(self._named(self.found.path)))
        except DdspecError as error:
            reasons = tuple(line(one.message) for one in error.diagnostics[:MAX_REPORTS])
            state: PlanFileState = "unlocked" if error.exit is Exit.UNABLE else "stale"
            return PlanFile(path=line(path), state=state, reasons=reasons)
        return PlanFile(path=line(path), state="current")

    def _named(self, path: str) -> str:
        """Return how a file is called from here."""
        return os.path.relpath((self.repository.top or Path()) / path)

    def _rooted(self, file: str) -> str:
        return self.repository.inside(Path(file)) or file
