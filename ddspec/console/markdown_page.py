"""One spec's part of a pull request's comment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ddspec.console.budget import Fold, within
from ddspec.console.folded import TEMPLATE, folded
from ddspec.console.links import Links
from ddspec.console.markdown_costs import cost_rows
from ddspec.console.markdown_text import Markdown, code, escaped, prose
from ddspec.console.review import At, Report, Review, Revision, SettingRow, Told, VariantRows
from ddspec.console.templating import cell, joined, piece
from ddspec.plan.category import scope

TABLE_ROOM = 6_000
"""Bytes that the settings of one spec may take in its summary, and as many its problems."""
SHORT = 8
"""Characters of a digest or commit that are shown."""
NAMED = 5
"""Reasons, denials and drifts that a summary names."""
CHANGES = ("setting", "before", "after", "effect")
DISAGREEMENTS = ("setting", "taken", "paper", "code", "why")
SOURCES = ("setting", "value", "source")
PASSED, FAILED = "✔", "✘"
STALE = {"stale": "is stale", "missing": "is missing", "unlocked": "has to wait for the data lock"}


@dataclass(frozen=True, slots=True)
class Page:
    """One spec's part of the comment."""

    report: Report
    review: Review
    links: Links

    def heading(self) -> str:
        """Return what is said of a spec at least: its path and the verdict."""
        return piece(TEMPLATE, "heading")(self.report, verdict(self.report))

    def summary(self) -> str:
        """Return what everybody reads: verdict, costs, settings, and what stays."""
        report, review = self.report, self.review
        parts = [self.heading(), piece(TEMPLATE, "facts")(tuple(self._facts()))]
        rows = cost_rows(report.costs, _name(review.base))
        if rows:
            sides = (_side(review.base), _side(review.head))
            parts.append(piece(TEMPLATE, "costs")(rows, *sides))
        parts += [self._settings(), self._problems(), self._sentences()]
        return "".join(parts)

    def folds(self) -> Iterator[Fold]:
        """Yield what is folded away, the most telling first."""
        report = self.report
        kinds = ", ".join(name for name in report.counts if name != "same").capitalize()
        stages = ((one.status, code(one.label), one.stages, one.cause) for one in report.stages)
        yield folded(kinds, ("", "stages", "n", "cause"), stages, report.groups)
        if report.variants is not None:
            yield self._variants(report.variants)
        if len(self._setting_rows()) < report.settings_changed:
            changed = map(_change_cells, report.settings)
            yield folded("All settings that change", CHANGES, changed, report.settings_changed)
        notes = ((self._where(one.at), prose(one.message), one.code) for one in report.notes)
        yield folded("Notes", ("where", "note", "rule"), notes, len(report.notes))
        rules = ((one.outcome, code(one.rule), prose(one.message)) for one in report.policy)
        yield folded("Policy", ("", "rule", ""), rules, len(report.policy))
        taken = [one for one in report.disagreements if not one.overridden]
        told = (
            (code(one.setting), one.takes, cell(one.paper), cell(one.code), cell(one.why, 160))
            for one in taken
        )
        yield folded("Paper and code disagree", DISAGREEMENTS, told, len(taken))
        values = ((code(one.path), cell(one.value), one.origin) for one in report.values)
        yield folded("All settings with their sources", SOURCES, values, report.values_resolved)

    def _facts(self) -> Iterator[object]:
        report = self.report
        plans = [code(plan[:SHORT]) for plan in (report.plan_before, report.plan_after) if plan]
        if plans:
            yield Markdown(f"Plan {' → '.join(dict.fromkeys(plans))}")
        if report.was is not None:
            yield Markdown(f"was {code(report.was)}")
        if report.plan_file is not None:
            state = report.plan_file.state
            current = state == "current"
            words = "is current" if current else STALE[state]
            yield f"committed plan {words} {PASSED if current else FAILED}"
        if report.policy:
            passed = sum(row.outcome == "pass" for row in report.policy)
            denied = any(row.outcome == "deny" for row in report.policy)
            yield f"policy {passed} of {len(report.policy)} {FAILED if denied else PASSED}"
        if report.notes:
            yield f"{len(report.notes)} note{'s' if len(report.notes) > 1 else ''}"
        if report.status == "invalid":
            yield f"{len(report.problems)} problem{'s' if len(report.problems) > 1 else ''}"

    def _settings(self) -> str:
        rows = self._setting_rows()
        if not rows:
            return ""
        left = self.report.settings_changed - len(rows)
        last = piece(TEMPLATE, "more")(left, 5) if left else ""
        return "".join([piece(TEMPLATE, "settings_head")(), *rows, last])

    def _setting_rows(self) -> list[str]:
        row = piece(TEMPLATE, "setting")
        return within((row(one, self._places(one)) for one in self.report.settings), TABLE_ROOM)

    def _places(self, row: SettingRow) -> Markdown:
        """Return where a setting is written, and where it was if that is another line."""
        was, now = row.before_at, row.after_at
        here = self._where(now or was, now is not None)
        if was is None or now is None or (was.file, was.line) == (now.file, now.line):
            return here
        if was.file == now.file:
            text = self.links.file(escaped(str(was.line)), was, self.review.base.commit)
            return Markdown(f"{here}, was {text}")
        return Markdown(f"{here}, was {self._where(was, False)}")

    def _where(self, at: At | None, after: bool = True) -> Markdown:
        if at is None:
            return Markdown("")
        revision = self.review.head if after else self.review.base
        name = at.file.rpartition("/")[2]
        return self.links.file(code(f"{name}:{at.line}" if at.line else name), at, revision.commit)

    def _problems(self) -> str:
        """Return why a spec or its plan file is refused, and what drifted."""
        report = self.report
        told = [*report.problems, *report.drift]
        if report.plan_file is not None and report.plan_file.state == "stale":
            told += [Told(message=reason) for reason in report.plan_file.reasons]
        denied = (row for row in report.policy if row.outcome == "deny")
        told += [Told(message=f"policy {row.rule}: {row.message}"[:240]) for row in denied]
        row, most = piece(TEMPLATE, "problem"), max(NAMED, len(report.problems))
        shown = within((row(one, self._where(one.at)) for one in told[:most]), TABLE_ROOM)
        left = len(told) - len(shown)
        return "".join(["\n" if told else "", *shown, f"- … {left} more\n" if left else ""])

    def _sentences(self) -> str:
        sentences = tuple(one for one in (self._stages(), self._kept(), self._matrix()) if one)
        return piece(TEMPLATE, "paragraph")(sentences) if sentences else ""

    def _stages(self) -> Markdown | None:
        report = self.report
        if not report.counts:
            return None
        counts = joined((f"{n:,} {status}" for status, n in report.counts.items()), " · ")
        reused = f" {escaped(report.reused)}" if report.reused else ""
        return Markdown(f"**{sum(report.counts.values()):,} stages:** {counts}.{reused}")

    def _kept(self) -> Markdown | None:
        """Return what the schedules share, and which facts of comparing hold."""
        report, parts = self.report, []
        if report.schedule is not None:
            parts.append(f"Schedule: {schedule_words(*_numbers(report))}.")
        same = [name for name, kept in report.comparable.items() if kept]
        moved = [name for name, kept in report.comparable.items() if not kept]
        if moved:
            parts.append(f"**Changed: {', '.join(moved)}.**")
        if same:
            parts.append(f"{', '.join(same).capitalize()}: unchanged.")
        return Markdown(" ".join(parts)) if parts else None

    def _matrix(self) -> Markdown | None:
        if self.report.variants is None:
            return None
        counts = self.report.variants.counts
        words = joined((f"{n:,} {what}" for what, n in counts.items() if n), " · ")
        return Markdown(f"**{sum(counts.values()):,} variants:** {words}.")

    def _variants(self, found: VariantRows) -> Fold:
        named = (("added", found.added), ("removed", found.removed), ("changed", found.changed))
        rows = ((what, code(name)) for what, names in named for name in names)
        moved = sum(n for what, n in found.counts.items() if what != "same")
        return folded("Variants", ("", "variant"), rows, moved)


def verdict(report: Report) -> str:
    """Return what a spec's heading says in bold."""
    match report.status:
        case "invalid":
            return "cannot be compiled"
        case "new":
            return "new spec"
        case "deleted":
            return "deleted"
        case "same":
            return "nothing changes"
        case "changed":
            stay = "stay" if report.category != "protocol" else "are no longer"
            counts = {} if report.variants is None else report.variants.counts
            moved = {name: n for name, n in counts.items() if name != "same"}
            return f"{scope(report.moves, **moved)}, numbers {stay} comparable"


def schedule_words(before: int, after: int, shared: int) -> str:
    """Return how two perturbation schedules relate."""
    most = max(before, after)
    if before == after == shared:
        return f"all {most} rows unchanged"
    if shared == min(before, after):
        return f"first {shared} of {most} rows, unchanged"
    return f"another one from row {shared} on"


def _numbers(report: Report) -> tuple[int, int, int]:
    one = report.schedule
    return (0, 0, 0) if one is None else (one.before, one.after, one.shared)


def _name(revision: Revision) -> Markdown:
    """Return how a revision is called: not by the remote that it was fetched from."""
    if revision.name == revision.commit:
        return code(revision.name[:SHORT])
    return code(revision.name.removeprefix("origin/"))


def _side(revision: Revision) -> Markdown:
    if revision.commit is None or revision.name == revision.commit:
        return _name(revision)
    return Markdown(f"{_name(revision)} {revision.commit[:SHORT]}")


def _change_cells(row: SettingRow) -> tuple[object, ...]:
    return code(row.path), cell(row.before, 100), cell(row.after, 100), row.effect
