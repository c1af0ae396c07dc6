"""What of a plan is not in the store yet, and how long that takes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddspec.console.verify_view import Left

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ddspec.canon import Digest
    from ddspec.plan.estimate import Cost
    from ddspec.plan.forecast import Forecast
    from ddspec.plan.ir import Plan, Stage
    from ddspec.store.store import Store


@dataclass(frozen=True, slots=True)
class Forecaster:
    """Counts and times of all stages of a plan, made once for all its variants."""

    plan: Plan
    store: Store | None
    costs: Mapping[str, Cost]
    times: Forecast | None

    @property
    def device(self) -> str:
        """What times are of; empty where no device is known."""
        return "" if self.times is None else self.times.device.title

    def left(
        self, variants: Collection[str], without: Collection[Digest] = ()
    ) -> tuple[Left, Sequence[Stage]]:
        """Return what a run of some variants would still do; what they share counts once.

        Stages of the keys `without` are done for something else.
        """
        from ddspec.cli.run import to_run
        from ddspec.plan.restrict import restricted

        if not variants:
            return Left(0, 0), ()
        some = restricted(self.plan, list(variants)) if self.plan.is_matrix else self.plan
        stages = [stage for stage in to_run(some, self.store) if stage.key not in without]
        labels = {stage.label for stage in stages}
        span = None if self.times is None else self.times.total(labels)
        counts = [self.costs[label].flops for label in labels]
        known = [count for count in counts if count is not None]
        return Left(len(stages), sum(known) if len(known) == len(counts) else None, span), stages


def forecaster(plan: Plan, store: Store | None, gpu: str | None) -> Forecaster:
    """Return counts, and times on a named device, else on the one that stages were measured on."""
    from ddspec.plan.devices import device
    from ddspec.plan.estimate import stage_costs
    from ddspec.plan.forecast import forecast
    from ddspec.run.measured_runs import measured_runs, usual_device

    costs, measured = stage_costs(plan), measured_runs(store)
    where = usual_device(measured) if gpu is None else device(gpu)
    times = None if where is None else forecast(plan, where, measured, costs)
    return Forecaster(plan, store, costs, times)
