"""From what a person names, specs, plans, results and folders of them, to what is known of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.cli.inputs import LOCK_SUFFIX, PLAN_SUFFIX, existing_store, is_plan_file, open_document
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.cli.inputs import Opened
    from ddspec.run.evidence import Evidence
    from ddspec.store.store import Store

SUFFIXES = (".yaml", ".yml")
RESULTS = ".json"
MAX_DOCUMENTS = 2_000


def gather(
    paths: Sequence[Path], home: Path | None, variants: Sequence[str] | None = None
) -> tuple[Evidence, ...]:
    """Return what is known of the results of every experiment in some documents, in their order.

    `paths` are specs, plan files, files of results, and folders of them; `variants` are globs of
    names, of which each must match in some document. Runs nothing. Raises `DdspecError` as
    whoever reads a kind of document does, for all specs of folders at once; files that others
    extend need not be specs by themselves there.
    """
    from ddspec.cli.spec_files import Broken
    from ddspec.run.measured import is_measured

    store, broken = existing_store(home), Broken()
    found: list[Evidence] = []
    for path in documents_in(paths):
        if is_measured(path):
            found += _of_file(path)
            continue
        try:
            opened = open_document(path)
        except DdspecError as error:
            if path in paths or error.exit is not Exit.INVALID:
                raise
            broken.add(path, error)
        else:
            broken.passed(opened)
            found += _of_document(opened, store, path)
    if problems := broken.problems():
        raise DdspecError(problems, exit=Exit.INVALID)
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
    from ddspec.cli.spec_files import specs_in

    specs: set[Path] = set()
    with suppress(DdspecError):  # a folder of plans or results has no spec
        specs.update(specs_in(folder))
    for path in sorted(_walked(folder)):
        if path in specs or (_is_other(path) and not _has_spec(path, specs)):
            yield path


def _walked(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(place, name)
            known = name.endswith((*SUFFIXES, RESULTS)) and not name.startswith(".")
            if known and not path.is_symlink():
                yield path


def _is_other(path: Path) -> bool:
    """Return whether a file is a plan or holds results."""
    from ddspec.run.measured import is_measured

    if path.suffix == RESULTS:
        return is_measured(path)
    return not path.name.endswith(LOCK_SUFFIX) and is_plan_file(path)


def _has_spec(plan: Path, specs: set[Path]) -> bool:
    stem = plan.name.removesuffix(PLAN_SUFFIX)
    return any(plan.with_name(stem + suffix) in specs for suffix in SUFFIXES)


def _of_file(path: Path) -> tuple[Evidence, ...]:
    from ddspec.run.measured import read_evidence

    return read_evidence(path)


def _of_document(opened: Opened, store: Store | None, path: Path) -> tuple[Evidence, ...]:
    from ddspec.run.evidence import evidence_of

    return evidence_of(opened.plan, store, str(path))


def _matches(name: str, globs: Sequence[str]) -> bool:
    return bool(name) and any(fnmatchcase(name, glob) for glob in globs)


def _require_matches(globs: Sequence[str], names: Sequence[str]) -> None:
    from ddspec.plan.restrict import known_variants
    from ddspec.visible import visible

    known = sorted({visible(name) for name in names if name})
    for glob in globs:
        if not any(_matches(name, [glob]) for name in names):
            raise DdspecError(
                f"no variant of these documents is called `{visible(glob[:80])}`",
                exit=Exit.USAGE,
                hint=known_variants(glob, known) if known else "none of them has a `matrix`",
            )
