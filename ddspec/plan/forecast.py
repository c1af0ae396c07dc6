"""How long a plan takes on a device: an honest range from counts, narrowed by measured runs.

Nothing here enters a plan file or a key: times are made when somebody looks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ddspec.canon import Json
from ddspec.plan.devices import LAUNCH_S, Device
from ddspec.plan.estimate import Cost, stage_costs
from ddspec.plan.ir import Plan, Stage
from ddspec.wire.work import Precision, PrepareWork

COMPUTE = 0.5
"""Fraction of a device's peak that arithmetic reaches, and of its bandwidth that eager kernels do.
Fitted, with the time of a launch, to 27 published times of seven methods and budgets on two devices
(Acc-DD, table 1 and section 4.2, for DSA, DM, MTT, IDC and Acc-DD): most are bound by memory."""
TRAFFIC = 0.45
LAUNCH_TIMES = 1.25
"""Times the shortest between two kernels."""
ON_A_CORE = 3.0
"""And so many times more on a CPU, where the caller also does what it started."""
SPREAD = 2.4
"""So much longer or shorter the published times are than the formula at most, and a little more."""
START_S = (0.0, 6.0)
"""Before the first operation: the process, its libraries, the device."""
DECODED = (4000.0, 100.0)
"""Images a second that are decoded: from arrays, and from JPEG files of more than 128 pixels."""
CPU_THREADS = 8
"""More threads than this move no more bytes."""

ONE_RUN = 1.6
"""A stage like the single one that was measured may take so much longer or shorter."""
MANY_RUNS = 1.15
"""The same with many of them."""
PER_DECADE = 1.2
"""And once more for each ten times that a stage is larger or smaller than what was measured."""


@dataclass(frozen=True, slots=True)
class Span:
    """From so many seconds to so many."""

    low_s: float
    high_s: float

    @classmethod
    def around(cls, middle_s: float, factor: float) -> Span:
        """Return from so many times less to so many times more."""
        return cls(middle_s / factor, middle_s * factor)

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

    def plain(self, devices: int = 1) -> dict[str, Json]:
        """Return it as JSON has it: seconds, low and high, of one device and until all is done."""
        return {
            "device": self.device.name,
            "devices": devices,
            "measured_runs": self.measured,
            "total_s": _plain(self.total()),
            "elapsed_s": _plain(self.elapsed(devices)),
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
    kinds = {stage.work.kind for stage in plan}
    known = [run for run in _relations(measured, device) if run.kind in kinds]
    return Forecast(
        device,
        {stage.label: _stage(stage, costs[stage.label], device, known) for stage in plan},
        len(known),
        {stage.label: tuple(stage.upstream.values()) for stage in plan},
    )


def roofline(cost: Cost, device: Device, threads: int = 1) -> float:
    """Return the seconds that operations, bytes and kernels take, in the middle of what they may.

    Arithmetic and memory hide each other, launches hide neither.
    """
    cores = threads if device.name == "cpu" else 1
    flops = (cost.flops or 0) / (device.peak(cost.precision) * cores)
    traffic = cost.traffic_bytes / (device.bandwidth * min(cores, CPU_THREADS))
    launch = LAUNCH_S * LAUNCH_TIMES * (ON_A_CORE if device.name == "cpu" else 1.0)
    return max(flops / COMPUTE, traffic / TRAFFIC) + cost.kernels * launch


def _stage(stage: Stage, cost: Cost, device: Device, known: Sequence[_Relation]) -> Span | None:
    """Return the time of one stage; None where its counts are not known."""
    if cost.flops is None or cost.output_bytes is None:
        return None
    start = Span(*START_S)
    if isinstance(stage.work, PrepareWork):
        return start + _decoding(cost.images or 0, stage.work)
    middle = roofline(cost, device, stage.threads)
    alike = [run for run in known if run.kind == stage.work.kind]
    return start + (_calibrated(middle, alike) if alike else Span.around(middle, SPREAD))


def _decoding(images: int, work: PrepareWork) -> Span:
    fast, slow = DECODED
    return Span(images / fast, images / (slow if work.source.size > 128 else slow * 10))


@dataclass(frozen=True, slots=True)
class _Relation:
    """A measured run against the formula."""

    kind: str
    middle_s: float
    """What the formula says."""
    ratio: float
    """How much longer it took."""


def _relations(measured: Sequence[Measured], device: Device) -> Iterator[_Relation]:
    for run in measured:
        middle = roofline(run.cost, device, run.threads)
        if run.device == device.name and run.seconds > 0 and middle > 0:
            yield _Relation(run.kind, middle, run.seconds / middle)


def _calibrated(middle_s: float, runs: Sequence[_Relation]) -> Span:
    """Return the range that measured runs leave: wider for fewer, and for others in size."""
    if middle_s <= 0:
        return ZERO
    ratios = [run.ratio for run in runs]
    decades = min(abs(math.log10(middle_s / run.middle_s)) for run in runs)
    factor = max(MANY_RUNS, ONE_RUN ** (1 / math.sqrt(len(runs)))) * PER_DECADE**decades
    factor = min(factor, SPREAD)
    return Span(middle_s * min(ratios) / factor, middle_s * max(ratios) * factor)


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
