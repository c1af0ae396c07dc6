"""What is committed of the results of a finished spec: figures as JSON, and a small picture."""

from __future__ import annotations

import base64
from pathlib import Path

from ddspec.canon import Digest, Json
from ddspec.cli.exhibits import command_of, picture_path, record_path
from ddspec.cli.inputs import existing_store, is_plan_file, open_document
from ddspec.cli.output import json_text
from ddspec.cli.report import report_of_store, standing
from ddspec.disk import write_whole
from ddspec.errors import DdspecError, Exit
from ddspec.plan.ir import Plan
from ddspec.plan.labels import folded
from ddspec.run.analysis import ask
from ddspec.run.deliver import GRID
from ddspec.run.evidence import evidence_of
from ddspec.run.recorded import recorded_json
from ddspec.run.scores import SETS, judged
from ddspec.run.witness import damaged, witness_of
from ddspec.store.store import Store

WIDTH = 720
"""Pixels of a picture; pages are about so wide."""
BYTES = 60_000
"""At most, of a picture."""


def record(spec: Path, folder: Path, home: Path | None) -> tuple[Path, ...]:
    """Write results and picture of a finished spec into its gallery; return the files.

    What was recorded before is replaced. Raises `DdspecError`: exit 2 for a spec elsewhere, exit 5
    where the store does not hold all of its plan.
    """
    if not spec.is_relative_to(folder) or is_plan_file(spec):
        raise DdspecError(f"`{spec}` is no spec in `{folder}`", exit=Exit.USAGE)
    plan, store = open_document(spec).plan, existing_store(home)
    if store is None:
        raise DdspecError("there is no store, so nothing was run", exit=Exit.REFUSED)
    _require_finished(spec, plan, store)
    made = witness_of([stage.key for stage in plan if stage.key is not None], store)
    printed = report_of_store(plan, store).plain("ddspec.results/1")
    results = standing(printed, evidence_of(plan, store))
    plain = recorded_json(results, plan, made, command_of(spec, folder, plan))
    if not made.dates:
        raise DdspecError(
            f"`{spec}`: the journal of the store does not tell when it was run", exit=Exit.REFUSED
        )
    files = {record_path(spec, folder): f"{json_text(plain)}\n".encode()}
    if pictures := _pictures(plan, store):
        files[picture_path(spec, folder)] = _sheet(pictures)
    for path, content in files.items():
        _write(path, content)
    return tuple(files)


def _require_finished(spec: Path, plan: Plan, store: Store) -> None:
    broken = damaged(plan, store)
    missing = [
        stage.label
        for stage in plan
        if stage.label not in broken and not (stage.key and store.objects.has(stage.key))
    ]
    problems = [f"{label} is damaged: {why}" for label, why in broken.items()]
    if missing:
        some = ", ".join(folded(missing))
        problems.append(f"{len(missing):,} stages are not in the store: {some}")
    if problems:
        told = "; ".join(problems)
        raise DdspecError(
            f"`{spec}` is not finished: {told}",
            exit=Exit.REFUSED,
            hint=f"`ddspec run {spec}` does what is left",
        )


def _pictures(plan: Plan, store: Store) -> dict[str, Path]:
    """Return the images of distilled sets by the name of their variant, no set twice."""
    found: dict[Digest, tuple[str, Path]] = {}
    for variant in plan.variants:
        alone = plan.of(variant.name)
        for one in judged(alone):
            key = alone.stage(one.stage.upstream["set"]).key
            if one.set == SETS[0] and key is not None and key not in found:
                found[key] = (variant.name, store.layout.object(key) / GRID)
    return {name: path for name, path in found.values() if path.is_file()}


def _sheet(pictures: dict[str, Path]) -> bytes:
    """Return the pictures side by side as one small PNG."""
    plain: list[Json] = [
        {"name": name, "png": base64.b64encode(path.read_bytes()).decode()}
        for name, path in pictures.items()
    ]
    answer = ask("sheet", {"pictures": plain, "width": WIDTH, "bytes": BYTES})
    assert isinstance(answer, dict)
    return base64.b64decode(str(answer["png"]))


def _write(path: Path, content: bytes) -> None:
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise DdspecError(f"`{path}` is not a regular file", exit=Exit.USAGE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise DdspecError(f"cannot write `{path}`: {error.strerror}", exit=Exit.UNABLE) from error
