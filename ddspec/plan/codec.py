"""Plan files: writing them, reading them back, and seeing whether they still follow from a spec."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NoReturn

from ddspec.disk import write_whole
from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.plan.blocks import MAX_BYTES
from ddspec.plan.compile import compile_again, compile_spec
from ddspec.plan.diff import changed_settings
from ddspec.plan.ir import Plan, spec_digest
from ddspec.plan.text import dump_plan, load_plan
from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.experiment import Experiment
from ddspec.spec.load import Loaded, load_spec, with_overrides

if TYPE_CHECKING:
    from ddspec.spec.lock import Lock

SHOWN = 3
"""Changed settings that a message names."""
VARIANT = "variant "


def write_plan(plan: Plan, path: Path, *, spec: Path | None = None) -> None:
    """Write a plan file, whole or not at all; it remembers where `spec` lies from there.

    Raises `DdspecError` (unable) while the data are not locked.
    """
    made_from = None
    if spec is not None:
        made_from = Path(os.path.relpath(spec, path.parent)).as_posix()
    write_whole(path, dump_plan(plan, made_from=made_from).encode())


def read_plan(path: Path) -> Plan:
    """Read a plan file and refuse one that must not be run.

    Raises `DdspecError`: changed for a newer format, unknown revisions, hand edits, merge-conflict
    markers, and where the spec or the data lock it was made from lie beside it and have moved;
    invalid for what is no plan. The file is complete: without the spec it runs as it is.
    """
    plan, made_from = load_plan(plan_text(path), str(path))
    spec = _origin(path, made_from)
    if spec is not None:
        reasons = tuple(_moved(plan, path, spec))
        if reasons:
            raise DdspecError(reasons, exit=Exit.CHANGED)
    return plan


def check_plan(path: Path, spec: Path | None = None) -> None:
    """Compile the spec again and compare bytes; raise `DdspecError` (changed) with the causes.

    `spec` defaults to the one that the plan was made from; a plan that remembers none is compiled
    from the spec inside it.
    """
    text = plan_text(path)
    plan, made_from = load_plan(text, str(path))
    spec = spec or _origin(path, made_from)
    fresh = compile_again(plan) if spec is None else _compiled(spec)
    if dump_plan(fresh, made_from=made_from) != text:
        moved = () if spec is None else tuple(_moved(plan, path, spec))
        reasons = (*moved, *preset_notes(plan, path)) or (_rest(plan, fresh, path),)
        raise DdspecError(reasons, exit=Exit.CHANGED)


def preset_notes(plan: Plan, path: Path) -> tuple[Diagnostic, ...]:
    """Return a note where a preset or protocol of a name is another one by now.

    It does not forbid a run: the plan carries what it was made with.
    """
    told = [f"`{name}`" for name in moved_presets(plan)]
    told += [f"protocol `{name}`" for name in dict.fromkeys(_other_protocols(plan))]
    return tuple(
        Diagnostic(
            f"preset: {what} is another one now; this plan keeps the one it was made with",
            Place(str(path)),
        )
        for what in told
    )


def moved_presets(plan: Plan) -> tuple[str, ...]:
    """Return the presets that a plan was made with which are others by now, or gone."""
    if not plan.presets:
        return ()
    from ddspec.spec.load import METHODS
    from ddspec.spec.presets import preset_names, read_preset

    known = preset_names(METHODS)
    return tuple(
        name
        for name, digest in plan.presets.items()
        if name not in known or read_preset(name, METHODS).digest != digest
    )


def _other_protocols(plan: Plan) -> Iterator[str]:
    for variant in plan.variants:
        name = variant.experiment.evaluate.protocol
        if isinstance(name, str) and not (
            name in PROTOCOLS and PROTOCOLS[name]() == variant.protocol
        ):
            yield name


def _origin(path: Path, made_from: str | None) -> Path | None:
    """Return the spec of a plan file if it lies where the plan says, relative to itself."""
    if made_from is None or PurePosixPath(made_from).is_absolute():
        return None
    spec = path.parent / made_from
    return spec if spec.is_file() else None


def _moved(plan: Plan, path: Path, spec: Path) -> Iterator[Diagnostic]:
    """Yield why a plan no longer follows from its spec and data lock.

    What a preset alone changed is no reason: the plan keeps the values that it was made with.
    """
    old, new = shlex.quote(str(path)), shlex.quote(str(spec))
    again = f"look at `ddspec diff {old} {new}`, then `ddspec plan {new} -o {old}`"
    loaded = load_spec(spec)
    changed = tuple(_changed(plan, loaded))
    if changed and not _by_presets(plan, loaded, changed):
        message = f"spec: `{spec}` changed since this plan was made: {_named(changed)}"
        yield Diagnostic(message, Place(str(path)), again)
    lock = _lock(spec) if plan.data.name == loaded.experiment.dataset.kind else None
    if lock is not None and lock.kind == plan.data.name and lock.digest != plan.data.content:
        message = f"data: `{spec.stem}.lock.yaml` names other images than this plan was made for"
        yield Diagnostic(message, Place(str(path)), again)


def _changed(plan: Plan, loaded: Loaded) -> Iterator[str]:
    """Yield the settings that are others now, and the variants that came and went."""
    now = dict(_experiments(loaded))
    was = {variant.name: variant.experiment for variant in plan.variants}
    yield from (VARIANT + name for name in was if name and name not in now)
    yield from (VARIANT + name for name in now if name and name not in was)
    if now.keys() != was.keys() and not (now.keys() & was.keys()):
        yield "matrix"
    for name in was.keys() & now.keys():
        if spec_digest(was[name]) != spec_digest(now[name]):
            yield from (setting.path for setting in changed_settings(was[name], now[name]))


def _experiments(loaded: Loaded) -> Iterator[tuple[str, Experiment]]:
    if not loaded.combinations:
        yield "", loaded.experiment
    for one in loaded.combinations:
        yield one.name, with_overrides(loaded, one.overrides).experiment


def _by_presets(plan: Plan, loaded: Loaded, changed: Sequence[str]) -> bool:
    """Return whether presets that moved are all there is to what changed."""
    if not moved_presets(plan) or any(path.startswith((VARIANT, "matrix")) for path in changed):
        return False
    return all(loaded.origin(*path.split(".")).kind in ("preset", "default") for path in changed)


def _compiled(spec: Path) -> Plan:
    return compile_spec(load_spec(spec), _lock(spec))


def _lock(spec: Path) -> Lock | None:
    beside = spec.with_name(f"{spec.stem}.lock.yaml")
    if not beside.exists():
        return None
    # Reading locks takes long to load, and most specs have none.
    from ddspec.spec.lock import read_lock

    return read_lock(beside)


def _named(changed: Sequence[str]) -> str:
    """Return what is different now, the first of it by name."""
    each = [f"`{one}`" for one in dict.fromkeys(changed)]
    more = f" and {len(each) - SHOWN} more" if len(each) > SHOWN else ""
    return ", ".join(each[:SHOWN]) + more


def _rest(plan: Plan, fresh: Plan, path: Path) -> Diagnostic:
    """Return why bytes differ although spec, data and presets are what they were."""
    keys = {stage.key for stage in plan}
    other = sum(stage.key not in keys for stage in fresh)
    pairs = list(zip(plan.variants, fresh.variants, strict=False))
    settings = [
        setting.path
        for was, now in pairs
        for setting in changed_settings(was.experiment, now.experiment)
    ]
    if settings:
        message = f"spec: {_named(settings)} changed, which no stage depends on"
    elif any(was.data != now.data for was, now in pairs):
        message = "data: what is published about them is described differently by this version"
    elif other:
        message = f"compiler: this version makes {other} stages differently from the same spec"
    else:
        message = "format: the same plan is written differently by this version"
    hint = "make the plan again; stages whose keys stay the same are not run again"
    return Diagnostic(message, Place(str(path)), hint)


def plan_text(path: Path) -> str:
    """Read a plan file: a regular one and no link, UTF-8, of bounded size.

    Raises `DdspecError` (invalid).
    """
    try:
        if path.is_symlink():
            _invalid(path, "is a symbolic link", "name the file that it points to")
        if not path.is_file():
            _invalid(path, "is not a regular file" if path.exists() else "does not exist")
        if path.stat().st_size > MAX_BYTES:
            _invalid(path, f"is larger than {MAX_BYTES // 2**20} MiB")
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        _invalid(path, "is not UTF-8")
    except OSError as error:
        _invalid(path, f"cannot be read: {error.strerror}")


def _invalid(path: Path, what: str, hint: str = "") -> NoReturn:
    raise DdspecError([Diagnostic(f"`{path}` {what}", Place(str(path)), hint)], exit=Exit.INVALID)
