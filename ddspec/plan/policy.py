"""A plan before its team's policy: a verdict for each rule, the same on every machine."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeAlias

from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.plan.devices import DEVICES
from ddspec.plan.estimate import Cost, stage_costs
from ddspec.plan.ir import Plan
from ddspec.plan.policy_rules import NO_PRESET, Circumstances, PinnedImage, Subject, judge_rule
from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.explain import in_order
from ddspec.spec.facts import FACTS
from ddspec.spec.load import METHODS
from ddspec.spec.policy import (
    DatasetsRule,
    GpuHoursRule,
    LoadedPolicy,
    PresetsRule,
    ProtocolsRule,
    load_policy,
)
from ddspec.spec.presets import preset_names

State: TypeAlias = Literal["kept", "warned", "denied", "unknown"]
"""`unknown` is what cannot be judged yet, for example before the data are locked."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says of a plan."""

    kind: str
    state: State
    message: str
    """What was found, and what may be."""
    reason: str
    """The rule's own; empty where it has none."""
    place: Place
    """Of the rule."""
    denies: bool
    """Whether the rule ends a run that breaks it."""


def judge(
    plan: Plan,
    loaded: LoadedPolicy,
    circumstances: Circumstances | None = None,
    costs: Mapping[str, Cost] | None = None,
) -> tuple[Verdict, ...]:
    """Return a verdict for each rule of a policy, in their order.

    Hours are judged by formula alone: measured runs differ from host to host, and verdicts must
    not. `costs` are those of `stage_costs(plan)`, where the caller has them.
    """
    policy = loaded.policy
    subject = Subject(
        plan,
        policy.device,
        circumstances or Circumstances(),
        stage_costs(plan) if costs is None else costs,
    )
    found: list[Verdict] = []
    for index, rule in enumerate(policy.rules):
        one, denies = judge_rule(rule, subject), rule.action == "deny"
        broken: State = "denied" if denies else "warned"
        state: State = "unknown" if one.kept is None else "kept" if one.kept else broken
        place = loaded.place(index)
        found.append(Verdict(rule.kind, state, one.message, rule.reason or "", place, denies))
    return tuple(found)


def read_policy(path: Path) -> LoadedPolicy:
    """Read a policy and look up the names in it.

    Raises `DdspecError` (invalid) with all problems, located: a slip in a name would allow nothing.
    """
    loaded = load_policy(path)
    problems = in_order(_unknown_names(loaded))
    if problems:
        raise DdspecError(problems, exit=Exit.INVALID)
    return loaded


def _unknown_names(loaded: LoadedPolicy) -> Iterator[Diagnostic]:
    policy, document = loaded.policy, loaded.document
    if policy.device is not None:
        yield from _looked_up("device", policy.device, DEVICES, document.place("device"))
    for index, rule in enumerate(policy.rules):
        if isinstance(rule, GpuHoursRule) and rule.device is not None:
            at = document.place("rules", index, "device")
            yield from _looked_up("device", rule.device, DEVICES, at)
        if isinstance(rule, DatasetsRule | PresetsRule | ProtocolsRule):
            what, known = _names_of(rule)
            for number, name in enumerate(rule.allow):
                at = document.place("rules", index, "allow", number)
                yield from _looked_up(what, name, known, at)


def _names_of(rule: DatasetsRule | PresetsRule | ProtocolsRule) -> tuple[str, Collection[str]]:
    match rule:
        case DatasetsRule():
            return "dataset", (*FACTS, "folder")
        case PresetsRule():
            return "preset", (*preset_names(METHODS), NO_PRESET)
        case ProtocolsRule():
            return "protocol", tuple(PROTOCOLS)


def _looked_up(what: str, name: str, known: Collection[str], at: Place) -> Iterator[Diagnostic]:
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}"
        yield Diagnostic(f"no {what} is called `{name}`", at, hint)


def kept(verdicts: Iterable[Verdict]) -> int:
    """Return how many rules are kept."""
    return sum(verdict.state == "kept" for verdict in verdicts)


def enforce(verdicts: Iterable[Verdict], *, running: bool = False) -> None:
    """Raise `DdspecError` (refused) with every rule that denies a plan.

    When a run begins, a rule that denies and cannot be judged denies as well.
    """
    problems = [
        Diagnostic(f"policy `{one.kind}`: {one.message}", one.place, one.reason)
        for one in verdicts
        if one.state == "denied" or (running and one.denies and one.state == "unknown")
    ]
    if problems:
        raise DdspecError(problems, exit=Exit.REFUSED)


__all__ = [
    "Circumstances",
    "PinnedImage",
    "State",
    "Verdict",
    "enforce",
    "judge",
    "kept",
    "read_policy",
]
