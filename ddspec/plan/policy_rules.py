"""What each kind of rule of a policy finds in a plan."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import assert_never

from ddspec.canon import canonical
from ddspec.plan.devices import device
from ddspec.plan.estimate import Cost
from ddspec.plan.forecast import forecast
from ddspec.plan.ir import Plan, Variant
from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.policy import (
    BaselinesRule,
    DatasetsRule,
    DiskRule,
    GpuHoursRule,
    ImageRule,
    MemoryRule,
    PolicyRule,
    PresetsRule,
    ProtocolsRule,
    RepeatsRule,
    StagesRule,
    TestSplitRule,
    bytes_of,
)

HOUR_S = 3600.0
LEAST_HOURS = 0.01
"""Less is told as less than that."""
NAMED = 3
"""Variants or stages that a message names."""
NO_PRESET = "none"


@dataclass(frozen=True, slots=True)
class PinnedImage:
    """The image that containers run in, as far as it is known."""

    reference: str
    digest: str | None
    """`NAME@sha256:...`; None for an image that was never pushed, and is known to one host."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a policy asks about that is no part of a plan."""

    presets: Collection[str] | None = None
    """Names of the presets used; None where nobody knows, empty without any."""
    image: PinnedImage | None = None
    """The one that the lock names or, when a run begins, the one that it would use."""
    contained: bool = True
    """Whether stages run in containers; in processes there is no image to judge."""


@dataclass(frozen=True, slots=True)
class Found:
    """Whether a rule is kept, None where that cannot be known yet, and what was found."""

    kept: bool | None
    message: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged."""

    plan: Plan
    device: str | None
    """On which hours are judged where a rule names none."""
    circumstances: Circumstances = field(default_factory=Circumstances)
    costs: Mapping[str, Cost] = field(default_factory=dict)
    """By label, of every stage."""


def judge_rule(rule: PolicyRule, of: Subject) -> Found:
    """Return what a rule finds."""
    match rule:
        case GpuHoursRule():
            return _hours(rule, of)
        case MemoryRule():
            return _memory(rule, of)
        case DiskRule():
            return _disk(rule, of)
        case StagesRule():
            number = len(of.plan.stages)
            return Found(number <= rule.at_most, f"{number:,} stages, at most {rule.at_most:,}")
        case BaselinesRule():
            return _baselines(rule, of.plan)
        case RepeatsRule():
            few = [one for one in of.plan.variants if _repeats(one) < rule.at_least]
            least = min(map(_repeats, of.plan.variants))
            return Found(not few, f"{least} repeats{_named(few)}, at least {rule.at_least}")
        case TestSplitRule():
            return _test_split(rule, of.plan)
        case DatasetsRule():
            return _allowed("dataset", rule.allow, of.plan, lambda one: one.data.name)
        case PresetsRule():
            return _presets(rule, of.circumstances)
        case ProtocolsRule():
            return _allowed("protocol", rule.allow, of.plan, _protocol)
        case ImageRule():
            return _image(rule, of.circumstances)
        case _:
            assert_never(rule)


# --- costs ----------------------------------------------------------------------------------------


def _hours(rule: GpuHoursRule, of: Subject) -> Found:
    name = rule.device or of.device or ""
    total = forecast(of.plan, device(name), costs=of.costs).total()
    if total is None:
        return Found(None, "hours are known after `ddspec lock`")
    low, high = total.low_s / HOUR_S, total.high_s / HOUR_S
    judged = low if rule.judged_by == "low" else high
    message = (
        f"{_span(low, high)} GPU-hours on {name}, "
        f"at most {rule.at_most:,g} by the {rule.judged_by} end"
    )
    return Found(judged <= rule.at_most, message)


def _span(low: float, high: float) -> str:
    return f"<{LEAST_HOURS}" if high < LEAST_HOURS else f"{_brief(low)}-{_brief(high)}"


def _brief(hours: float) -> str:
    if hours >= 10:
        return f"{hours:,.0f}"
    return f"{hours:.2g}" if hours >= LEAST_HOURS else "0"


def _memory(rule: MemoryRule, of: Subject) -> Found:
    needed = {label: cost.memory_bytes for label, cost in of.costs.items()}
    label = max(needed, key=lambda one: needed[one])
    within = needed[label] <= bytes_of(rule.at_most)
    return Found(
        within, f"{_in_unit(needed[label], rule.at_most)} by `{label}`, at most {rule.at_most}"
    )


def _disk(rule: DiskRule, of: Subject) -> Found:
    sizes = [cost.output_bytes for cost in of.costs.values()]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        return Found(None, "bytes are known after `ddspec lock`")
    within = sum(known) <= bytes_of(rule.at_most)
    return Found(within, f"{_in_unit(sum(known), rule.at_most)} written, at most {rule.at_most}")


def _in_unit(number: int, like: str) -> str:
    """Return bytes in the unit of a limit."""
    unit = like.lstrip("0123456789. ")
    return f"{number / bytes_of(f'1 {unit}'):,.3g} {unit}"


# --- evaluation -----------------------------------------------------------------------------------


def _repeats(variant: Variant) -> int:
    return variant.experiment.evaluate.repeats


def _baselines(rule: BaselinesRule, plan: Plan) -> Found:
    wanted = rule.model_dump(exclude={"kind", "action", "reason"})
    asked = {name: number for name, number in wanted.items() if number}
    given = [one.experiment.evaluate.baselines.counts for one in plan.variants]
    least = {name: min(one[name] for one in given) for name in asked}
    few = [name for name in asked if least[name] < asked[name]]
    told = ", ".join(f"{name} {least[name]} of {asked[name]}" for name in asked)
    return Found(not few, f"baselines {told or 'of no set are asked for'}")


def _test_split(rule: TestSplitRule, plan: Plan) -> Found:
    candidates: dict[bytes, str] = {}
    for one in plan.variants:
        if one.experiment.evaluate.on == "test":
            chosen = {
                path: value
                for path, value in one.settings.items()
                if not any(path == kept or path.startswith(f"{kept}.") for kept in rule.reported)
            }
            candidates.setdefault(canonical(chosen), one.name)
    if len(candidates) < 2:
        return Found(True, "no choice is made on the test split")
    names = list(candidates.values())
    return Found(
        False,
        f"{len(names)} candidates are compared on the test split: {_listed(names)}; "
        "set `evaluate.on: validation`",
    )


def _protocol(variant: Variant) -> str:
    """Return the name of a built-in protocol that is used as it is, or what it is instead."""
    protocol = variant.experiment.evaluate.protocol
    if isinstance(protocol, str):
        return protocol
    known = PROTOCOLS.get(protocol.name)
    same = known is not None and known() == protocol
    return protocol.name if same else f"{protocol.name} (written out)"


# --- what is used ---------------------------------------------------------------------------------


def _allowed(what: str, allow: Collection[str], plan: Plan, of: Callable[[Variant], str]) -> Found:
    used = list(dict.fromkeys(map(of, plan.variants)))
    return _among(what, allow, used)


def _among(what: str, allow: Collection[str], used: Iterable[str]) -> Found:
    others = [name for name in used if name not in allow]
    if others:
        plural = "s" if len(others) > 1 else ""
        return Found(False, f"{what}{plural} {_listed(others)} not among {_listed(list(allow))}")
    return Found(True, f"{what} {_listed(list(used))}")


def _presets(rule: PresetsRule, circumstances: Circumstances) -> Found:
    if circumstances.presets is None:
        return Found(None, "this plan does not say which preset it was made from")
    return _among("preset", rule.allow, list(circumstances.presets) or [NO_PRESET])


def _image(rule: ImageRule, circumstances: Circumstances) -> Found:
    if not circumstances.contained:
        return Found(True, "stages run in processes, in no image")
    image = circumstances.image
    if image is None:
        return Found(None, "no image is locked, `ddspec lock SPEC --image REF` locks one")
    name = image.digest or image.reference
    if rule.pinned and image.digest is None:
        return Found(False, f"image `{name}` has no repository digest: it means another elsewhere")
    if rule.allow is not None and not any(fnmatchcase(name, glob) for glob in rule.allow):
        return Found(False, f"image `{name}` is none of {_listed(list(rule.allow))}")
    return Found(True, f"image `{name}`")


def _listed(names: Collection[str]) -> str:
    shown = [f"`{name}`" for name in list(names)[:NAMED]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _named(variants: Collection[Variant]) -> str:
    names = [one.name for one in variants if one.name]
    return f" in {_listed(names)}" if names else ""
