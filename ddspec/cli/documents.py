"""From what a person names, specs, plans, results and folders of them, to what is known of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.cli.inputs import LOCK_SUFFIX, PLAN_SUFFIX, existing_store, is_plan_file, open_document
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.cli.inputs import Opened
    from ddspec.run.evidence import Evidence
    from ddspec.store.store import Store

SUFFIXES = (".yaml", ".yml", ".json")
MAX_DOCUMENTS = 2_000
HEAD_BYTES = 2**20
"""Of a file in a folder, in which it says that it is a spec."""


def gather(
    paths: Sequence[Path], home: Path | None, variants: Sequence[str] | None = None
) -> tuple[Evidence, ...]:
    """Return what is known of the results of every experiment in some documents, in their order.

    `paths` are specs, plan files, files of results, and folders of them; `variants` are globs of
    names, of which each must match in some document. Runs nothing. Raises `DdspecError` as
    whoever reads a kind of document does.
    """
    from ddspec.run.measured import is_measured

    store = existing_store(home)
    found: list[Evidence] = []
    for path in documents_in(paths):
        if is_measured(path):
            found += _of_file(path)
        else:
            found += _of_document(open_document(path), store, path)
    if not variants:
        return tuple(found)
    _require_matches(variants, [one.variant for one in found])
    return tuple(one for one in found if _matches(one.variant, variants))


def documents_in(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return every document once: files as they are named, folders by what lies in them.

    In a folder a plan file beside its spec is left out, as the spec says the same; hidden folders
    and links are not entered. Raises `DdspecError` (usage) for a folder without any.
    """
    found: dict[str, Path] = {}
    for path in paths:
        inside = list(_inside(path)) if path.is_dir() else [path]
        if not inside:
            raise DdspecError(f"no spec, plan or file of results is in `{path}`", exit=Exit.USAGE)
        for one in inside:
            found.setdefault(os.path.realpath(one), one)
    if len(found) > MAX_DOCUMENTS:
        raise DdspecError(f"more than {MAX_DOCUMENTS:,} documents", exit=Exit.USAGE)
    return tuple(found.values())


def _inside(folder: Path) -> Iterator[Path]:
    names = sorted(_walked(folder))
    specs = {path for path in names if path.suffix in SUFFIXES[:2] and _is_spec(path)}
    for path in names:
        if path in specs or (_is_other(path) and not _has_spec(path, specs)):
            yield path


def _walked(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            if name.endswith(SUFFIXES) and not name.startswith(".") and not path.is_symlink():
                yield path


def _is_spec(path: Path) -> bool:
    if path.name.endswith((PLAN_SUFFIX, LOCK_SUFFIX)) or not path.is_file():
        return False
    from ddspec.spec.extends import KEYS

    told_by = "|".join(sorted(set(KEYS) - {"name", "title"}))
    try:
        with path.open("rb") as file:
            return bool(
                re.search(rf"^(?:{told_by}):".encode(), file.read(HEAD_BYTES), re.MULTILINE)
            )
    except OSError:
        return True  # whoever reads it next says why


def _is_other(path: Path) -> bool:
    from ddspec.run.measured import is_measured

    if path.suffix == ".json":
        return is_measured(path)
    return not path.name.endswith(LOCK_SUFFIX) and is_plan_file(path)


def _has_spec(plan: Path, specs: set[Path]) -> bool:
    stem = plan.name.removesuffix(PLAN_SUFFIX)
    return any(plan.with_name(stem + suffix) in specs for suffix in SUFFIXES[:2])


def _of_file(path: Path) -> tuple[Evidence, ...]:
    from ddspec.run.measured import read_evidence

    return read_evidence(path)


def _of_document(opened: Opened, store: Store | None, path: Path) -> tuple[Evidence, ...]:
    from ddspec.run.evidence import evidence_of

    return evidence_of(opened.plan, store, str(path))


def _matches(name: str, globs: Sequence[str]) -> bool:
    return bool(name) and any(fnmatchcase(name, glob) for glob in globs)


def _require_matches(globs: Sequence[str], names: Sequence[str]) -> None:
    from ddspec.visible import visible

    for glob in globs:
        if not any(_matches(name, [glob]) for name in names):
            raise DdspecError(
                f"no variant of these documents is called `{visible(glob[:80])}`", exit=Exit.USAGE
            )
