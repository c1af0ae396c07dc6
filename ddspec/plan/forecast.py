"""How long a plan takes on a device: an honest range from counts, narrowed by measured runs.

Nothing here enters a plan file or a key: times are made when somebody looks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ddspec.canon import Json
from ddspec.plan.devices import LAUNCH_S, Device
from ddspec.plan.estimate import Cost, stage_costs
from ddspec.plan.ir import Plan, Stage
from ddspec.wire.work import Precision, PrepareWork

COMPUTE = (1.0, 0.25)
"""Fractions of a device's peak, at best and at worst. At best it is reached in full: Winograd's
form of 3x3 convolutions needs fewer products than are counted (DM on CIFAR-100 took .86 of it)."""
TRAFFIC = (1.5, 0.6)
"""Fractions of its bandwidth: caches serve a part of what is counted."""
LAUNCH = (1.0, 4.0)
"""Multiples of the shortest time between two kernels."""
START_S = (0.0, 6.0)
"""Before the first operation: the process, its libraries, the device."""
DECODED = (4000.0, 100.0)
"""Images a second that are decoded, of at most 128 pixels from arrays, and of JPEG files."""
CPU_THREADS = 8
"""More threads than this move no more bytes."""

SPREAD = 1.6
"""A single measured run may be off by so much either way: other sizes, another engine."""
LEAST_SPREAD = 1.15


@dataclass(frozen=True, slots=True)
class Span:
    """From so many seconds to so many."""

    low_s: float
    high_s: float

    def __add__(self, other: Span) -> Span:
        return Span(self.low_s + other.low_s, self.high_s + other.high_s)

    @property
    def middle_s(self) -> float:
        """Return the geometric mean, which is off by the same factor either way."""
        return math.sqrt(self.low_s * self.high_s)

    def plain(self) -> Json:
        """Return it as JSON has it."""
        return [round(self.low_s, 3), round(self.high_s, 3)]


ZERO = Span(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Measured:
    """A stage that ran: what it took by our counts, and how long."""

    kind: str
    """Of the work: `pretrain`, `distill`, `evaluate`, …"""
    flops: int
    seconds: float
    device: str
    """Name in the table of devices."""
    traffic_bytes: int = 0
    kernels: int = 0
    precision: Precision = "float32"
    threads: int = 1

    @property
    def cost(self) -> Cost:
        """What it took, as a cost."""
        return Cost(
            flops=self.flops,
            traffic_bytes=self.traffic_bytes,
            kernels=self.kernels,
            precision=self.precision,
        )


@dataclass(frozen=True, slots=True)
class Forecast:
    """Times of all stages of a plan on one device."""

    device: Device
    stages: Mapping[str, Span | None]
    """By label, in the order of the plan; None where the data are not known yet."""
    measured: int
    """Measured runs behind it; 0 is formulas alone."""
    waits: Mapping[str, tuple[str, ...]] = field(repr=False, default_factory=dict)
    """Label to the labels of the stages above it."""

    def total(self, labels: Collection[str] | None = None) -> Span | None:
        """Return the seconds of one device for some stages, or all; None where one is unknown."""
        whole = ZERO
        for label, span in self.stages.items():
            if labels is None or label in labels:
                if span is None:
                    return None
                whole += span
        return whole

    def elapsed(self, devices: int, labels: Collection[str] | None = None) -> Span | None:
        """Return the seconds until some stages, or all, are done on so many equal devices.

        Stages are started as runs do: what is ready and has the longest chain behind it first.
        """
        wanted = [label for label in self.stages if labels is None or label in labels]
        spans = {label: self.stages[label] for label in wanted}
        known = {label: span for label, span in spans.items() if span is not None}
        if len(known) < len(spans):
            return None
        waits = {label: [up for up in self.waits[label] if up in known] for label in known}
        return Span(
            _makespan({label: span.low_s for label, span in known.items()}, waits, devices),
            _makespan({label: span.high_s for label, span in known.items()}, waits, devices),
        )

    def plain(self) -> dict[str, Json]:
        """Return it as JSON has it: seconds, low and high."""
        return {
            "device": self.device.name,
            "measured_runs": self.measured,
            "total_s": _plain(self.total()),
            "stages_s": {label: _plain(span) for label, span in self.stages.items()},
        }


def forecast(
    plan: Plan,
    device: Device,
    measured: Sequence[Measured] = (),
    costs: Mapping[str, Cost] | None = None,
) -> Forecast:
    """Return how long each stage of a plan takes on a device.

    `measured` are runs on any device; those of this one, of a kind that the plan has, narrow its
    ranges. `costs` are those of `stage_costs(plan)`, where the caller has them.
    """
    costs = stage_costs(plan) if costs is None else costs
    ratios = _ratios(measured, device)
    spans = {
        stage.label: _calibrated(
            formula(costs[stage.label], stage, device), ratios.get(stage.work.kind, ())
        )
        for stage in plan
    }
    kinds = {stage.work.kind for stage in plan}
    return Forecast(
        device,
        spans,
        sum(len(found) for kind, found in ratios.items() if kind in kinds),
        {stage.label: tuple(stage.upstream.values()) for stage in plan},
    )


def formula(cost: Cost, stage: Stage, device: Device) -> Span | None:
    """Return the time of one stage by its counts alone; None where they are not known.

    At best the slowest of arithmetic, memory and launches hides the others; at worst they wait for
    each other.
    """
    if cost.flops is None or cost.output_bytes is None:
        return None
    start = Span(*START_S)
    if isinstance(stage.work, PrepareWork):
        return start + _decoding(cost.images or 0, stage.work)
    return start + roofline(cost, device, stage.threads)


def roofline(cost: Cost, device: Device, threads: int = 1) -> Span:
    """Return the time of operations, bytes and kernels, from the best case to the worst."""
    cores = threads if device.name == "cpu" else 1
    flops = (cost.flops or 0) / (device.peak(cost.precision) * cores)
    traffic = cost.traffic_bytes / (device.bandwidth * min(cores, CPU_THREADS))
    launch = cost.kernels * LAUNCH_S
    best = (flops / COMPUTE[0], traffic / TRAFFIC[0], launch * LAUNCH[0])
    worst = (flops / COMPUTE[1], traffic / TRAFFIC[1], launch * LAUNCH[1])
    return Span(max(best), sum(worst))


def _decoding(images: int, work: PrepareWork) -> Span:
    fast, slow = DECODED
    return Span(images / fast, images / (slow if work.source.size > 128 else slow * 10))


def _ratios(measured: Sequence[Measured], device: Device) -> dict[str, tuple[float, ...]]:
    """Return, by kind, how measured runs on this device relate to the middle of the formula."""
    found: dict[str, list[float]] = {}
    for run in measured:
        if run.device == device.name and run.seconds > 0:
            span = Span(*START_S) + roofline(run.cost, device, run.threads)
            if span.low_s > 0:
                found.setdefault(run.kind, []).append(run.seconds / span.middle_s)
    return {kind: tuple(ratios) for kind, ratios in found.items()}


def _calibrated(span: Span | None, ratios: Sequence[float]) -> Span | None:
    """Return the range that measured runs leave, wider the fewer there are."""
    if span is None or not ratios:
        return span
    spread = max(LEAST_SPREAD, SPREAD ** (1 / math.sqrt(len(ratios))))
    middle = span.middle_s
    return Span(middle * min(ratios) / spread, middle * max(ratios) * spread)


def _makespan(
    seconds: Mapping[str, float], waits: Mapping[str, Sequence[str]], devices: int
) -> float:
    """Return when the last stage ends, by list scheduling with the longest chain first."""
    behind: dict[str, list[str]] = {label: [] for label in seconds}
    open_ = {label: len(above) for label, above in waits.items()}
    for label, above in waits.items():
        for up in above:
            behind[up].append(label)
    chain: dict[str, float] = {}
    for label in reversed(tuple(seconds)):  # upstream first, so what waits is known already
        chain[label] = seconds[label] + max((chain[down] for down in behind[label]), default=0.0)
    ready = [(-chain[label], label) for label, count in open_.items() if not count]
    heapq.heapify(ready)
    running: list[tuple[float, str]] = []
    now = 0.0
    while ready or running:
        while ready and len(running) < devices:
            _, label = heapq.heappop(ready)
            heapq.heappush(running, (now + seconds[label], label))
        now, done = heapq.heappop(running)
        for down in behind[done]:
            open_[down] -= 1
            if not open_[down]:
                heapq.heappush(ready, (-chain[down], down))
    return now


def _plain(span: Span | None) -> Json:
    return None if span is None else span.plain()
