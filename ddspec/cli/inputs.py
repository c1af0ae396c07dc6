"""From what a person names on the command line to plans, stores and folders."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.errors import DdspecError, Diagnostic, Exit

if TYPE_CHECKING:
    from ddspec.canon import Digest
    from ddspec.plan.ir import Plan
    from ddspec.plan.past import Said
    from ddspec.spec.load import Loaded
    from ddspec.spec.lock import Lock
    from ddspec.store.store import Store

PLAN_SUFFIX = ".plan.yaml"
LOCK_SUFFIX = ".lock.yaml"


@dataclass(frozen=True, slots=True)
class Opened:
    """A plan, and what a reviewer should know of the spec it was made from."""

    plan: Plan
    notes: tuple[Diagnostic, ...] = ()
    loaded: Loaded | None = None
    """The spec that it was compiled from; None for a plan file."""
    file: str = ""
    """The document as it was named."""
    lock: Lock | None = None
    """What it was compiled with; for a plan file, what lies beside it."""

    def only(self, variants: Sequence[str] | None) -> Opened:
        """Return the same with only those variants of its matrix that match one of some globs."""
        if not variants:
            return self
        from ddspec.plan.restrict import restricted

        plan = restricted(self.plan, variants)
        return replace(self, plan=plan, loaded=_of_first(self.loaded, plan))

    def settings(self) -> tuple[Said, ...]:
        """Return every resolved setting with where it is written."""
        from ddspec.plan.said import settings_in, settings_of

        if self.loaded is None:
            return tuple(settings_in(self.plan, self.file))
        return tuple(settings_of(self.loaded))


def _of_first(loaded: Loaded | None, plan: Plan) -> Loaded | None:
    """Return a spec as the first variant of a plan sets it, where it is of another one."""
    if loaded is None or loaded.combinations[0].name == plan.variants[0].name:
        return loaded
    from ddspec.spec.load import with_overrides

    names = {one.name: one.overrides for one in loaded.combinations}
    chosen = with_overrides(loaded, names[plan.variants[0].name])
    return replace(chosen, combinations=loaded.combinations)


def is_plan_file(path: Path) -> bool:
    """Return whether a document is a plan by its name, or says so in its first bytes."""
    if path.name.endswith(PLAN_SUFFIX):
        return True
    try:
        if not path.is_file():
            return False  # opening a pipe would wait for its writer
        with path.open("rb") as file:
            return b"\nformat: ddspec.plan/" in b"\n" + file.read(4096)
    except (OSError, ValueError):
        return False  # whoever reads it next says why


def open_document(path: Path) -> Opened:
    """Read a plan file, or compile a spec; raises `DdspecError` as both do."""
    if path.suffix == ".json":
        _refuse_results(path)
    if path.name.endswith(LOCK_SUFFIX):
        spec = path.with_name(path.name.removesuffix(LOCK_SUFFIX) + ".yaml")
        raise DdspecError(
            f"`{path}` is a lock, and neither a spec nor a plan",
            exit=Exit.INVALID,
            hint=f"name the spec beside it: `{spec}`",
        )
    if is_plan_file(path):
        from ddspec.plan.codec import preset_notes, read_plan

        plan = read_plan(path)
        lock = lock_beside(path.with_name(path.name.removesuffix(PLAN_SUFFIX) + ".yaml"))
        return Opened(plan, preset_notes(plan, path), file=str(path), lock=lock)
    return compile_spec(path)


def _refuse_results(path: Path) -> None:
    from ddspec.run.measured import is_measured

    if is_measured(path):
        raise DdspecError(
            f"`{path}` holds results, and neither a spec nor a plan",
            exit=Exit.INVALID,
            hint="`ddspec diff` compares results",
        )


def compile_spec(path: Path, lock: Lock | None = None) -> Opened:
    """Compile a spec with the lock that lies beside it, unless another one is given."""
    from ddspec.plan.compile import compile_noted
    from ddspec.spec.load import load_spec

    loaded = load_spec(path)
    found = lock or lock_beside(path)
    plan, notes = compile_noted(loaded, found)
    return Opened(plan, notes, loaded, str(path), found)


def lock_beside(path: Path) -> Lock | None:
    """Return the lock of a spec, None where there is none."""
    # the module that reads locks also makes them and is slow to load, and most specs have none
    beside = path.with_name(f"{path.stem}{LOCK_SUFFIX}")
    if not beside.exists():
        return None
    from ddspec.spec.lock import read_lock

    return read_lock(beside)


def home_of(home: Path | None) -> Path:
    """Return the folder of the store; it need not exist."""
    from ddspec.store.layout import find_home

    return find_home(Path.cwd(), os.environ, home)


def existing_store(home: Path | None) -> Store | None:
    """Return the store if there is one; looking never makes one."""
    found = home_of(home)
    if not (found / "store.json").exists():
        return None
    from ddspec.store.store import open_store

    return open_store(found)


def in_store(store: Store | None, plan: Plan) -> Mapping[Digest, bool]:
    """Return for each key of a plan whether its output is there and looks untouched."""
    if store is None:
        return {}
    return {stage.key: store.objects.has(stage.key) for stage in plan if stage.key is not None}


def with_places(plan: Plan, environ: Mapping[str, str]) -> Plan:
    """Return the plan with the variables of its data locations filled in; keys stay the same."""
    from ddspec.spec.interpolate import expand_location

    stages = (
        replace(
            stage,
            location={name: expand_location(at, environ) for name, at in stage.location.items()},
        )
        for stage in plan
    )
    return replace(plan, stages=tuple(stages))


def data_root(data: Path | None) -> Path:
    """Return the data directory that a verb cannot do without."""
    if data is None:
        raise DdspecError(
            "no data directory", exit=Exit.USAGE, hint="give `--data DIR` or set DDSPEC_DATA"
        )
    return data.absolute()
