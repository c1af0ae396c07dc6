"""Everything that is shown of a plan, as one value for text, JSON and Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ddspec.errors import Diagnostic
from ddspec.plan.abilities import MissingPart, missing_parts
from ddspec.plan.estimate import Cost, stage_costs
from ddspec.plan.ir import Plan

if TYPE_CHECKING:
    from ddspec.plan.drift import Drift
    from ddspec.plan.forecast import Forecast
    from ddspec.plan.past import Said
    from ddspec.plan.policy import Verdict
    from ddspec.plan.why import Reason, Why
    from ddspec.spec.origins import Disagreement


@dataclass(frozen=True, slots=True)
class Overview:
    """A plan, and what else a reviewer has to see."""

    plan: Plan
    why: Why | None = None
    """States and reasons of the stages; None where no store was looked at."""
    notes: Sequence[Diagnostic] = ()
    settings: Sequence[Said] = ()
    """Every resolved setting, with where its value comes from."""
    disagreements: Sequence[Disagreement] = ()
    """Where paper and code disagree about a setting of it."""
    forecast: Forecast | None = None
    """Times on a named device; None where none was named."""
    gpus: int = 1
    """Devices that a run may use at a time."""
    verdicts: Sequence[Verdict] = ()
    """What each rule of the team's policy says; empty without one."""
    width: int = 100
    """Columns of the text."""
    drift: Sequence[Drift] = ()
    """What is not as the lock says; no change of the plan."""
    following: Sequence[str] = ()
    """What one may do next."""
    _made: dict[str, Mapping[str, Cost]] = field(default_factory=dict, init=False, repr=False)
    _reasons: dict[str, Reason] = field(default_factory=dict, init=False, repr=False)

    def with_next(self, following: Sequence[str]) -> Overview:
        """Return the same overview, with what one may do next."""
        return replace(self, following=following)

    def with_verdicts(self, verdicts: Sequence[Verdict], drift: Sequence[Drift]) -> Overview:
        """Return the same overview, with what the team's policy says and what moved."""
        return replace(self, verdicts=verdicts, drift=drift)

    @property
    def costs(self) -> Mapping[str, Cost]:
        """What each stage takes, by label."""
        if "costs" not in self._made:
            self._made["costs"] = stage_costs(self.plan)
        return self._made["costs"]

    @property
    def reasons(self) -> Mapping[str, Reason]:
        """Why each stage has its state, by label; empty where no store was looked at."""
        if not self._reasons and self.why is not None:
            self._reasons.update(self.why.reasons())
        return self._reasons

    @property
    def missing(self) -> tuple[MissingPart, ...]:
        """What the plan asks of runners that those of this version cannot do."""
        return missing_parts(self.plan)

    @property
    def left(self) -> frozenset[str] | None:
        """Labels of the stages that a run would work on; None where no store was looked at."""
        if self.why is None:
            return None
        states = ("run", "changed", "after lock")
        return frozenset(label for label, one in self.reasons.items() if one.state in states)
