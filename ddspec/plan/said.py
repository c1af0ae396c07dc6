"""Every resolved setting of an experiment, with where its value comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ddspec.errors import Place
from ddspec.plan.ir import Plan
from ddspec.plan.leaves import leaves
from ddspec.plan.past import Said
from ddspec.visible import visible

if TYPE_CHECKING:
    from ddspec.spec.load import Loaded

DEFAULT = "default"


def settings_of(loaded: Loaded) -> Iterator[Said]:
    """Yield the settings of a spec in its order, each with the line that says it."""
    document = loaded.document
    for path, value in leaves(loaded.experiment.model_dump(mode="json", exclude_none=True)):
        steps = path.split(".")
        written = document.find(*steps) is not None
        yield Said(path, value, where_of(loaded.place(*steps)) if written else DEFAULT)


def settings_in(plan: Plan, file: str) -> Iterator[Said]:
    """Yield the settings of a plan file, which no longer knows where they were written."""
    spec = plan.experiment.model_dump(mode="json", exclude_none=True)
    return (Said(path, value, file) for path, value in leaves(spec))


def where_of(place: Place) -> str:
    """Return a place as people write it, `specs/x.yaml:12`."""
    return visible(f"{place.file}:{place.line}" if place.line else place.file)
