"""The compiler: experiment in, plan out; nothing else is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ddspec.errors import DdspecError, Exit
from ddspec.plan.check import check
from ddspec.plan.data import data_facts
from ddspec.plan.findings import Places, nowhere
from ddspec.plan.ir import Plan, Variant
from ddspec.plan.lower import lower
from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.experiment import Experiment

if TYPE_CHECKING:
    from ddspec.spec.load import Loaded
    from ddspec.spec.lock import Lock


def compile_plan(
    experiment: Experiment, lock: Lock | None = None, places: Places = nowhere
) -> Plan:
    """Compile an experiment; raise `DdspecError` with every violated rule, located by `places`.

    Without the lock that a folder needs, the plan is for reading: its keys are None.
    """
    data = data_facts(experiment.dataset, lock)
    errors = check(experiment, data, places).errors
    if errors:
        raise DdspecError(errors, exit=Exit.INVALID)
    protocol = protocol_of(experiment)
    variant = Variant("", {}, experiment, protocol, data)
    return Plan(experiment.name, (variant,), lower(experiment, protocol, data))


def compile_spec(loaded: Loaded, lock: Lock | None = None) -> Plan:
    """Compile a spec with all its variants; errors point into the files it was read from."""
    return compile_plan(loaded.experiment, lock, loaded.place)


def protocol_of(experiment: Experiment) -> ProtocolSpec:
    """Return the evaluation protocol, looked up by name where it is a name."""
    protocol = experiment.evaluate.protocol
    return PROTOCOLS[protocol]() if isinstance(protocol, str) else protocol
