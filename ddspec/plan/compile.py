"""The compiler: a spec in, a plan out; nothing else is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

from ddspec.canon import Digest, Json
from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.plan.check import MOST_OF_A_MATRIX, MOST_ROWS_OF_A_MATRIX, check, findings
from ddspec.plan.check_judging import order_findings
from ddspec.plan.data import data_facts
from ddspec.plan.findings import Finding, Places, located, nowhere
from ddspec.plan.ir import DataFacts, Plan, Variant
from ddspec.plan.lower import lower, lowered
from ddspec.plan.memo import Memo
from ddspec.plan.stages import Shared, Stages
from ddspec.plan.variants import Lowered, united
from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.dataset import BuiltinDatasetSpec
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment

if TYPE_CHECKING:
    from ddspec.spec.load import Loaded
    from ddspec.spec.lock import Lock

MOST_TOLD = 100
"""Problems after which no further variant is looked at."""


def compile_plan(
    experiment: Experiment, lock: Lock | None = None, places: Places = nowhere
) -> Plan:
    """Compile an experiment; raise `DdspecError` with every violated rule, located by `places`.

    Without the lock that a folder needs, the plan is for reading: its keys are None.
    """
    data = data_facts(experiment.dataset, lock)
    found = (*findings(experiment, data, Memo()), *order_findings(experiment))
    if errors := located(found, places).errors:
        raise DdspecError(errors, exit=Exit.INVALID)
    protocol = protocol_of(experiment)
    variant = Variant("", {}, experiment, protocol, data)
    return Plan(experiment.name, (variant,), lower(experiment, protocol, data))


def compile_spec(loaded: Loaded, lock: Lock | None = None) -> Plan:
    """Compile a spec with all its variants; errors point into the files it was read from."""
    return compile_noted(loaded, lock)[0]


def compile_noted(loaded: Loaded, lock: Lock | None = None) -> tuple[Plan, tuple[Diagnostic, ...]]:
    """Compile a spec; return its plan, and what a reviewer should know besides.

    Raises `DdspecError` with every problem of every variant, each once.
    """
    if not loaded.combinations:
        try:
            plan = compile_plan(loaded.experiment, lock, loaded.place)
        except DdspecError as error:
            raise DdspecError(loaded.told(error.diagnostics), exit=error.exit) from None
        notes = loaded.told(check(loaded.experiment, plan.data, loaded.place).notes)
        plan = replace(plan, presets=loaded.presets)
        return plan, (*(loaded.notes if loaded.presets else ()), *notes)
    return _Matrix(loaded, lock).plan()


def compile_again(plan: Plan) -> Plan:
    """Compile what is inside a plan file, without the spec that it was made from."""
    shared = Shared()
    every = [_again(variant, shared) for variant in plan.variants]
    if plan.is_matrix:
        return united(plan.name, every, plan.presets)
    stages = tuple(every[0].stages.by_label.values())
    return Plan(plan.name, (every[0].variant,), stages, plan.presets)


def _again(variant: Variant, shared: Shared) -> Lowered:
    experiment = variant.experiment
    data = data_facts(experiment.dataset)
    if data.content is None:
        data = variant.data  # what a lock said is in the plan alone
    now = replace(variant, protocol=protocol_of(experiment), data=data)
    return Lowered(now, lowered(experiment, now.protocol, data, shared))


def protocol_of(experiment: Experiment) -> ProtocolSpec:
    """Return the evaluation protocol, looked up by name where it is a name."""
    protocol = experiment.evaluate.protocol
    return PROTOCOLS[protocol]() if isinstance(protocol, str) else protocol


class _Matrix:
    """Compiles the variants of one spec, sharing what they have in common; one use."""

    def __init__(self, loaded: Loaded, lock: Lock | None) -> None:
        self.loaded, self.lock = loaded, lock
        self.variants = frozenset(one.name for one in loaded.combinations)
        self.shared = Shared()
        self.errors: dict[Diagnostic, None] = {}
        self.notes: dict[Diagnostic, None] = {}
        self.presets: dict[str, Digest] = {}
        self.stages = self.rows = 0
        self.drawn: set[Digest] = set()
        self.found: set[Finding] = set()
        """What rules found in variants before: it is told once."""

    def plan(self) -> tuple[Plan, tuple[Diagnostic, ...]]:
        every = list(self._lowered())
        self._require_one_lock(every)
        self._stop_at_errors()
        presets = dict(sorted(self.presets.items()))
        plan = united(every[0].variant.experiment.name, every, presets)
        self._require_unlike(plan)
        self._stop_at_errors()
        return plan, tuple(_in_order(self.notes))

    def _stop_at_errors(self) -> None:
        if self.errors:
            raise DdspecError(_in_order(self.errors), exit=Exit.INVALID)

    def _lowered(self) -> Iterator[Lowered]:
        from ddspec.spec.load import with_overrides

        for one in self.loaded.combinations:
            if len(self.errors) >= MOST_TOLD:
                return
            try:
                made = with_overrides(self.loaded, one.overrides)
            except DdspecError as error:
                self.errors.update(dict.fromkeys(error.diagnostics))
                continue
            self.presets |= made.presets
            variant = self._checked(one.name, one.settings, made)
            if variant is not None:
                stages = lowered(variant.experiment, variant.protocol, variant.data, self.shared)
                self._admit(stages, variant.experiment.loops.outer_loops)
                yield Lowered(variant, stages)

    def _admit(self, made: Stages, loops: int) -> None:
        """Count the stages of a variant; refuse a matrix as soon as it has too many."""
        self.stages += len(made.by_label)
        own = {one for label, one in made.identities.items() if label.startswith("distill")}
        self.rows += 0 if own <= self.drawn else loops
        self.drawn |= own
        if self.stages > MOST_OF_A_MATRIX:
            self._refuse(f"the variants have more than {MOST_OF_A_MATRIX:,} stages together")
        if self.rows > MOST_ROWS_OF_A_MATRIX:
            most = f"{MOST_ROWS_OF_A_MATRIX:,}"
            self._refuse(f"the variants distil for more than {most} outer loops together")

    def _refuse(self, message: str) -> NoReturn:
        problem = Diagnostic(message, self.loaded.spanned, "split the matrix")
        raise DdspecError([problem], exit=Exit.INVALID)

    def _checked(self, name: str, settings: Mapping[str, Json], made: Loaded) -> Variant | None:
        """Return a variant, None where it violates a rule."""
        memo = self.shared.memo
        experiment = memo.known(made.experiment, self.loaded.experiment)
        data = memo.once(_data, experiment, self.lock)
        orders = order_findings(experiment, name, self.variants)
        found = dict.fromkeys([*findings(experiment, data, memo), *orders])
        report = located(found.keys() - self.found, made.place)
        self.found |= found.keys()
        self.errors.update(dict.fromkeys(made.told(report.errors)))
        notes = (*(made.notes if made.presets else ()), *made.told(report.notes))
        self.notes.update(dict.fromkeys(notes))
        if any(one.severity == "error" for one in found):
            return None
        return Variant(name, settings, experiment, memo.once(protocol_of, experiment), data)

    def _require_one_lock(self, every: Iterable[Lowered]) -> None:
        """Refuse variants that read different folders: a spec has one lock."""
        places = {
            (one.variant.experiment.dataset.kind, *sorted(location.items()))
            for one in every
            if not isinstance(one.variant.experiment.dataset, BuiltinDatasetSpec)
            for location in [one.stages.by_label["prepare/train"].location]
        }
        if len(places) > 1:
            message = "variants read different folders of images, but a spec has one data lock"
            place = self.loaded.spanned
            self.errors[Diagnostic(message, place, "make a spec for each folder")] = None

    def _require_unlike(self, plan: Plan) -> None:
        """Refuse variants of which all stages are the same."""
        seen: dict[frozenset[str], str] = {}
        for one in plan.variants:
            same = seen.setdefault(frozenset(one.labels), one.name)
            if same != one.name:
                message = f"variants `{same}` and `{one.name}` compute the same"
                hint = "no stage depends on what they differ in: leave it out of the matrix"
                self.errors[Diagnostic(message, self.loaded.spanned, hint)] = None


def _data(experiment: Experiment, lock: Lock | None) -> DataFacts:
    return data_facts(experiment.dataset, lock)


def _in_order(told: Iterable[Diagnostic]) -> list[Diagnostic]:
    def position(one: Diagnostic) -> tuple[str, int, int, str]:
        place = one.place
        return (
            ("", 0, 0, one.code)
            if place is None
            else (place.file, place.line, place.column, one.code)
        )

    return sorted(told, key=position)
