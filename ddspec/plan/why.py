"""Why a stage will run: what differs from the run that made it last, down to the setting. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ddspec.canon import Digest, Json, canonical
from ddspec.plan.bearing import adding, behind
from ddspec.plan.ir import Plan, Stage, own_label
from ddspec.plan.leaves import Edit, edits
from ddspec.plan.past import Past, PastStage, Said

State: TypeAlias = Literal["in store", "run", "changed", "not needed", "after lock"]
"""`changed` will run though a run of this name has made it, as it was then."""

What: TypeAlias = Literal[
    "in store",
    "not needed",
    "damaged",
    "not made",
    "never run",
    "new",
    "edited",
    "downstream",
    "compiler",
    "data",
]
"""`edited` differs itself, `downstream` in its inputs alone, `compiler` in neither; of `not made`
the key may be another one than a run asked for."""

NOTHING_MADE: frozenset[Digest] = frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store says of a plan, as values."""

    present: Collection[Digest]
    """Keys whose output is there and looks untouched."""
    needed: Collection[Digest] | None = None
    """Absent keys that a run would work on; None is all of them."""
    damaged: Mapping[Digest, str] = field(default_factory=dict)
    """What is wrong with those that are there and cannot be used."""
    made: Collection[Digest] = NOTHING_MADE
    """Those of the `former` keys whose output is there."""
    pasts: Sequence[Past] = ()
    """What runs of this name were asked to do, newest first."""
    code: Mapping[Digest, str] = field(default_factory=dict)
    """Of the outputs that other runners than those installed here made: which ones, in words."""


@dataclass(frozen=True, slots=True)
class Cause:
    """A setting that differs, and where each side is written."""

    path: str
    before: str | None
    """Where it was written then; None where there was no such setting."""
    after: str | None
    edit: Edit


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a stage has its state."""

    label: str
    state: State
    what: What
    past: Past | None = None
    """The run that it is compared with, or that asked for it."""
    was: PastStage | None = None
    """The stage of this label in that run."""
    fields: tuple[Edit, ...] = ()
    """Leaves of its own work that differ."""
    causes: tuple[Cause, ...] = ()
    """Settings behind those fields; for a new stage, those that can have added it."""
    above: tuple[str, ...] = ()
    """Labels of inputs that are others than they were."""
    said: str = ""
    """What is wrong with the stored output."""


def former(plan: Plan, present: Collection[Digest], pasts: Sequence[Past]) -> Iterator[Digest]:
    """Yield other keys that runs asked for under the labels of stages that are not present."""
    for stage in plan:
        if stage.key in present:
            continue
        for past in pasts:
            was = _former(stage, past)
            if was is not None and was.key != stage.key:
                yield was.key


def changed_settings(
    past: Past, settings: Mapping[str, Said], axes: Mapping[str, Json] | None = None
) -> dict[str, Cause]:
    """Return every setting that is another one now, by path.

    `axes` are the values that a matrix gives to each setting that it sets, as a list.
    """
    found: dict[str, Cause] = {}
    then = axes_of(past.variants.values())
    for path in dict.fromkeys([*settings, *past.settings]):
        now, was = settings.get(path), past.settings.get(path)
        before, after = (None if side is None else side.value for side in (was, now))
        before, after = then.get(path, before), (axes or {}).get(path, after)
        if before != after:
            places = [None if side is None else side.where for side in (was, now)]
            found[path] = Cause(path, places[0], places[1], Edit(path, before, after))
    return found


def axes_of(variants: Iterable[Mapping[str, Json]]) -> dict[str, Json]:
    """Return the different values that variants give to each setting, in their order."""
    axes: dict[str, dict[bytes, Json]] = {}
    for variant in variants:
        for path, value in variant.items():
            axes.setdefault(path, {})[canonical(value)] = value
    return {path: list(values.values()) for path, values in axes.items()}


def _former(stage: Stage, past: Past) -> PastStage | None:
    """Return the stage of the same address in a past run, of a matrix or of one experiment."""
    return past.stages.get(stage.label) or past.stages.get(own_label(stage.label))


class Why:
    """The comparison of one plan with what runs of its name were asked to do."""

    def __init__(
        self, plan: Plan, standing: Standing, settings: Mapping[str, Said] | None = None
    ) -> None:
        """Compare with `standing`; `settings` are the resolved settings of now, by path."""
        self.plan, self.standing, self.settings = plan, standing, settings or {}
        self._axes = axes_of(variant.settings for variant in plan.variants)
        self._since: dict[int, dict[str, Cause]] = {}
        self._compared: dict[tuple[int, str], Reason] = {}

    def reasons(self) -> dict[str, Reason]:
        """Return the reason of every stage by label, in the order of the plan."""
        return {stage.label: self.reason(stage) for stage in self.plan}

    def reason(self, stage: Stage) -> Reason:
        """Return why a stage has its state."""
        key, standing = stage.key, self.standing
        if key is None:
            return Reason(stage.label, "after lock", "data")
        if key in standing.present:
            return Reason(stage.label, "in store", "in store", said=standing.code.get(key, ""))
        if standing.needed is not None and key not in standing.needed:
            return Reason(stage.label, "not needed", "not needed")
        if key in standing.damaged:
            return Reason(stage.label, "run", "damaged", said=standing.damaged[key])
        for past in standing.pasts:
            was = _former(stage, past)
            if was is not None and was.key != key and was.key in standing.made:
                return self.compared(stage, past)
        return self._unmade(stage)

    def trace(self, stage: Stage) -> tuple[Reason, ...]:
        """Return a changed stage and what above it differs from that same run, down to the roots.

        The nearest first; without a run to compare with, the stage alone.
        """
        first = self.reason(stage)
        if first.past is None or first.state != "changed":
            return (first,)
        found = {stage.label: first}
        waiting = [*first.above]
        while waiting:
            label = waiting.pop(0)
            if label not in found:
                found[label] = self.compared(self.plan.stage(label), first.past)
                waiting += found[label].above
        return tuple(found.values())

    def roots(self, stage: Stage) -> tuple[Reason, ...]:
        """Return what a changed stage goes back to: stages up to itself that differ themselves."""
        return tuple(one for one in self.trace(stage) if one.what != "downstream")

    def compared(self, stage: Stage, past: Past) -> Reason:
        """Return how a stage differs from the one of its label in a past run."""
        known = (id(past), stage.label)
        if known not in self._compared:
            self._compared[known] = self._compare(stage, past)
        return self._compared[known]

    def _compare(self, stage: Stage, past: Past) -> Reason:
        since, was = self._settings_since(past), _former(stage, past)
        if was is None:
            causes = self._adding(past)
            return Reason(stage.label, self._state(stage), "new", past, causes=causes)
        now = stage.work.model_dump(mode="json", exclude_none=True)
        fields = edits(was.work, now)
        above = tuple(dict.fromkeys(_moved(stage, past, was)))
        what: What = "edited" if fields else "downstream" if above else "compiler"
        head = own_label(stage.label).partition("/")[0]
        found = (path for one in fields for path in behind(head, one.path, since))
        causes = tuple(since[path] for path in dict.fromkeys(found))
        return Reason(stage.label, self._state(stage), what, past, was, fields, causes, above)

    def _unmade(self, stage: Stage) -> Reason:
        pasts = self.standing.pasts
        asked = [(past, was) for past in pasts if (was := _former(stage, past)) is not None]
        # a run that asked for this very output comes before one that asked for another
        nearest = min(asked, key=lambda one: one[1].key != stage.key, default=None)
        if nearest is not None:
            return Reason(stage.label, "run", "not made", *nearest)
        if not pasts:
            return Reason(stage.label, "run", "never run")
        return Reason(stage.label, "run", "new", pasts[0], causes=self._adding(pasts[0]))

    def _adding(self, past: Past) -> tuple[Cause, ...]:
        since = self._settings_since(past)
        return tuple(since[path] for path in adding(since, self._axes.keys() & since.keys()))

    def _state(self, stage: Stage) -> State:
        return "in store" if stage.key in self.standing.present else "changed"

    def _settings_since(self, past: Past) -> dict[str, Cause]:
        if id(past) not in self._since:
            self._since[id(past)] = changed_settings(past, self.settings, self._axes)
        return self._since[id(past)]


def _moved(stage: Stage, past: Past, was: PastStage) -> Iterator[str]:
    """Yield the labels of inputs that have another key than in a past run, new ones as well."""
    before = {
        name: past.stages[label].key for name, label in was.inputs.items() if label in past.stages
    }
    for name, label in stage.upstream.items():
        if before.get(name) != stage.inputs.get(name):
            yield label
