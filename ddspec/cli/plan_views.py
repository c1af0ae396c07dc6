"""Views of a plan that answer one question: its values, its reasons, its stages, its schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.canon import Json
    from ddspec.console.overview import Overview
    from ddspec.plan.ir import Stage
    from ddspec.plan.past import Said
    from ddspec.store.store import Store


@dataclass(frozen=True, slots=True)
class Asked:
    """Which views a person asked for."""

    values: str | None = None
    """Section or glob of settings, empty for all."""
    why: str | None = None
    """Label, range or glob of stages."""
    stages: bool = False
    schedule: bool = False

    def __bool__(self) -> bool:
        return self.values is not None or self.why is not None or self.stages or self.schedule


def views_text(overview: Overview, asked: Asked, store: Store | None) -> str:
    """Return the views one below the other.

    Raises `DdspecError` (usage) where no setting or no stage is meant.
    """
    return "\n\n".join(_views(overview, asked, store))


def views_json(overview: Overview, asked: Asked) -> dict[str, Json]:
    """Return values and reasons as one JSON object; stages and schedule are in the whole plan."""
    from ddspec.console.plan_json import PLAN_JSON_FORMAT
    from ddspec.console.values_view import values_json
    from ddspec.console.why_view import reason_json

    found: dict[str, Json] = {"format": PLAN_JSON_FORMAT, "name": overview.plan.name}
    if asked.values is not None:
        found["settings"] = values_json(_settings(overview, asked.values))
    if asked.why is not None and overview.why is not None:
        why, stages = overview.why, _stages(overview, asked.why)
        found["why"] = [{"label": one.label, **reason_json(why, one)} for one in stages]
    return found


def _views(overview: Overview, asked: Asked, store: Store | None) -> Iterator[str]:
    from ddspec.console.disagreements_view import render_disagreements
    from ddspec.console.stages_view import render_schedule, render_stages
    from ddspec.console.values_view import render_values

    if asked.values is not None:
        yield render_values(_settings(overview, asked.values))
        if overview.disagreements and not asked.values:
            yield render_disagreements(overview.disagreements)
    if asked.why is not None:
        yield _why(overview, asked.why, store)
    if asked.stages:
        yield render_stages(overview)
    if asked.schedule:
        plan = overview.plan
        yield render_schedule(plan.of(plan.variants[0].name))


def _why(overview: Overview, pattern: str, store: Store | None) -> str:
    from ddspec.cli.standing import told_by_journal
    from ddspec.console.why_view import render_why

    stages = _stages(overview, pattern)
    if overview.why is None:
        return ""
    absent = [
        stage.key
        for stage in stages
        if stage.key is not None and overview.reasons[stage.label].state != "in store"
    ]
    return render_why(overview.why, stages, told_by_journal(store, absent) if store else {})


def _settings(overview: Overview, pattern: str) -> Sequence[Said]:
    from ddspec.console.values_view import matching

    found = matching(overview.settings, pattern)
    if not found:
        raise _nothing(pattern, "setting", [one.path for one in overview.settings])
    return found


def _stages(overview: Overview, pattern: str) -> Sequence[Stage]:
    from ddspec.console.why_view import selected

    stages = selected(overview.plan, pattern)
    if not stages:
        raise _nothing(pattern, "stage", [stage.label for stage in overview.plan])
    return stages


def _nothing(pattern: str, what: str, known: Sequence[str]) -> DdspecError:
    from difflib import get_close_matches

    from ddspec.visible import visible

    close = get_close_matches(pattern, known, n=1)
    listing = "--stages" if what == "stage" else "--values"
    return DdspecError(
        f"there is no {what} `{visible(pattern[:80])}`",
        exit=Exit.USAGE,
        hint=f"did you mean `{close[0]}`?" if close else f"`{listing}` lists them",
    )
