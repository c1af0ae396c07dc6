"""What stages were forecast to take, beside what they took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ddspec.plan.devices import Device, device_called
from ddspec.plan.estimate import Cost, stage_costs
from ddspec.plan.forecast import ZERO, Span, forecast
from ddspec.plan.ir import Plan
from ddspec.report.subject import Kept, Shelf


@dataclass(frozen=True, slots=True)
class CostRow:
    """The stages of one kind on one device."""

    kind: str
    device: str
    stages: int
    flops: int | None
    """Counted by formula; None where some are not known."""
    forecast: Span | None
    """By formula alone, for nothing measured here may tell what it is compared with."""
    seconds: float

    @property
    def times(self) -> float | None:
        """Return how many times as long it took as the middle of the forecast."""
        if self.forecast is None or not self.forecast.middle_s:
            return None
        return self.seconds / self.forecast.middle_s

    @property
    def verdict(self) -> str:
        """Return how the time lies to its forecast."""
        if self.forecast is None:
            return "no forecast"
        if self.seconds < self.forecast.low_s:
            return "faster"
        return "slower" if self.seconds > self.forecast.high_s else "within"


def cost_rows(plan: Plan, shelf: Shelf) -> tuple[CostRow, ...]:
    """Return the finished stages whose time is known, by kind and device, in their order."""
    costs = stage_costs(plan)
    groups: dict[tuple[str, str], list[Kept]] = {}
    for one in shelf.kept:
        if one.result is not None and one.seconds is not None:
            name = one.result.engine.get("device_name")
            groups.setdefault((one.kind, name if isinstance(name, str) else ""), []).append(one)
    devices = {name: device_called(name) for _, name in groups}
    spans = {
        name: {} if known is None else forecast(plan, known, (), costs).stages
        for name, known in devices.items()
    }
    return tuple(
        _row(kind, _title(name, devices[name]), members, spans[name], costs)
        for (kind, name), members in groups.items()
    )


def _title(name: str, known: Device | None) -> str:
    return name or ("" if known is None else known.name)


def _row(
    kind: str,
    device: str,
    members: Sequence[Kept],
    spans: Mapping[str, Span | None],
    costs: Mapping[str, Cost],
) -> CostRow:
    labels = [one.stage.label for one in members]
    known = [span for label in labels if (span := spans.get(label)) is not None]
    flops = [costs[label].flops for label in labels]
    counted = [count for count in flops if count is not None]
    return CostRow(
        kind,
        device,
        len(members),
        sum(counted) if len(counted) == len(flops) else None,
        sum(known, ZERO) if len(known) == len(labels) else None,
        sum(one.seconds or 0.0 for one in members),
    )
