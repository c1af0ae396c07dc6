"""`extends:`: other specs that a spec starts from, found inside its repository and nowhere else.

A path is relative to the file that says it; of several the later one wins, and the file itself over
all. A parent is part of a spec and need not be one by itself. What it says of itself alone is not
inherited: its name, title, published numbers to reproduce, matrix and replicates. Its preset is,
like any setting; `preset: null` forgets it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path
from typing import NoReturn, Protocol

from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.spec.directives import Directives, normalised
from ddspec.spec.experiment import Experiment
from ddspec.spec.explain import explained, noted, unknown_setting
from ddspec.spec.interpolate import MISPLACED, misplaced_variables
from ddspec.spec.layers import DIRECTIVES, Layer, Layers, with_rest
from ddspec.spec.merge import merge, without
from ddspec.spec.nodes import MAX_NODES, Document, compose
from ddspec.spec.source import MAX_BYTES, Source, read_source
from ddspec.visible import visible

KEYS = (*Experiment.model_fields, *DIRECTIVES)
"""Every key that a spec may have at its top."""

NOT_INHERITED = (
    "name",
    "title",
    "expect",
    "matrix",
    "replicates",
    "extends",
    "disagreements",
)
"""What a file says of itself alone, and what is followed from where it stands."""

MAX_GENERATIONS = 8
"""Longest chain of specs that extend each other, the first one not counted."""
MAX_PARENTS = 32
"""Files that one spec may come from, counted as often as they are used."""

MAX_DISAGREEMENTS = 200
"""Disagreements that one file may list; each is looked up among all settings."""


class Files(Protocol):
    """Where the files lie that a spec may extend: a working tree, or a revision of one."""

    def open(self, path: str, child: Source) -> Source:
        """Return the file that `path` names, seen from `child`, by a name that is its own.

        `child` is the spec that a person named, or a file that this returned. Raises
        `DdspecError` where there is none, or none that may be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Sheet:
    """One file, its directives read but not yet followed."""

    document: Document
    directives: Directives
    note: str = ""
    """How it came in: `extended by x.yaml:1`; empty for the file that a person named."""

    def layer(self) -> Layer:
        """Return what the file says, less what it says of itself alone where it is extended."""
        root = self.document.root
        items = root.find("disagreements")
        nodes = items.children.values() if items is not None else ()
        return Layer(
            kind="extends" if self.note else "spec",
            root=without(root, NOT_INHERITED) if self.note else root,
            note=self.note,
            disagreements=tuple(zip(self.directives.disagreements, nodes, strict=True)),
        )


def layered(
    document: Document,
    files: Callable[[], Files | None],
    classes: Callable[[], int | None],
    presets: Path,
) -> Layers:
    """Return a file and what it extends as layers.

    Raises `DdspecError` (invalid) at what cannot be extended, and for directives that are none.
    """
    sheet = read_sheet(document)
    try:
        parents = tuple(_Walk(files()).parents(sheet, (sheet,)))
    except DdspecError as error:
        raise with_rest(error, sheet.document) from None
    personal = tuple(one.layer() for one in (*parents, sheet))
    problems = [noted(one, parent.note) for parent in parents for one in parent.document.problems]
    whole = replace(
        sheet.document,
        root=reduce(merge, (layer.root for layer in personal)),
        problems=(*sheet.document.problems, *problems),
        others={visible(one.document.source.file): one.note for one in parents},
    )
    return Layers(whole, personal, presets, classes)


def read_sheet(document: Document, note: str = "") -> Sheet:
    """Read a file; problems of form stay in its document, those of directives are raised."""
    root = normalised(document.root)
    problems = (*document.problems, *misplaced_variables(root))
    document = replace(document, root=root, problems=problems)
    given = {key: root.children[key].value for key in DIRECTIVES if key in root.children}
    judged = replace(document, root=replace(root, value=given))
    directives, wrong = explained(judged, Directives)
    if directives is None:
        raise with_rest(DdspecError(wrong, exit=Exit.INVALID), document)
    if len(directives.disagreements) > MAX_DISAGREEMENTS:
        at = document.place("disagreements")
        _refuse(f"more than {MAX_DISAGREEMENTS} disagreements", at)
    named = enumerate(directives.disagreements)
    places = ((one.setting, document.place("disagreements", i, "setting")) for i, one in named)
    unknown = (unknown_setting(name, Experiment, place) for name, place in places)
    problems = (*problems, *(problem for problem in unknown if problem is not None))
    return Sheet(replace(document, problems=problems), directives, note)


def _composed(source: Source) -> Document:
    """Parse a file that a spec named: its lines are shown once it parsed as one of ours."""
    document = compose(source)
    keys = set(document.root.keys)
    if source.private and keys and not keys & set(KEYS):
        # nothing of it is quoted, for it may be anybody's
        problem = source.problem("this is no part of a spec: none of its keys is one of those", 0)
        raise DdspecError([problem], exit=Exit.INVALID)
    if source.private and keys and keys <= set(KEYS):
        return compose(replace(source, private=False))
    return document


@dataclass(slots=True)
class _Walk:
    """Follows one spec to its ancestors; one use."""

    files: Files | None
    taken: int = 0
    characters: int = 0
    nodes: int = 0
    read: dict[str, Sheet] = field(default_factory=dict)

    def parents(self, child: Sheet, line: Sequence[Sheet]) -> Iterator[Sheet]:
        """Yield what a file extends; `line` leads from the spec to this file."""
        for index, path in enumerate(child.directives.extends):
            at = child.document.place("extends", index)
            source = self._opened(path, child, at)
            self._admit(source, line, at)
            parent = self._sheet(source, child, at)
            self.nodes += parent.document.root.size
            if self.nodes > MAX_NODES:
                _refuse(f"the files extended here hold more than {MAX_NODES:,} values", at)
            yield from self.parents(parent, (*line, parent))
            yield parent

    def _opened(self, path: str, child: Sheet, at: Place) -> Source:
        if self.files is None:
            _refuse("`extends` needs a file, and this is text", at)
        if "${" in path:
            _refuse(MISPLACED, at)
        try:
            return self.files.open(path, child.document.source)
        except DdspecError as error:
            told = error.diagnostics[0]
            where = told.place if told.place is not None and told.place.line else None
            suffix = f" (extended by {at.file}:{at.line})" if where else ""
            problem = Diagnostic(told.message + suffix, where or at, told.hint)
            raise DdspecError([problem], exit=Exit.INVALID) from None

    def _admit(self, source: Source, line: Sequence[Sheet], at: Place) -> None:
        names = [sheet.document.source.file for sheet in line]
        if source.file in names:
            chain = " -> ".join(map(visible, [*names[names.index(source.file) :], source.file]))
            _refuse(f"specs extend each other in a circle: {chain}", at)
        if len(line) > MAX_GENERATIONS:
            _refuse(f"a chain of more than {MAX_GENERATIONS} specs that extend each other", at)
        self.taken += 1
        if self.taken > MAX_PARENTS:
            _refuse(f"more than {MAX_PARENTS} files are extended", at)
        self.characters += len(source.text)
        if self.characters > MAX_BYTES:
            _refuse("the files extended here are larger than 1 MiB together", at)

    def _sheet(self, source: Source, child: Sheet, at: Place) -> Sheet:
        before = f", {child.note}" if child.note else ""
        note = f"extended by {at.file}:{at.line}{before}"
        if source.file not in self.read:
            try:
                self.read[source.file] = read_sheet(_composed(source), note)
            except DdspecError as error:
                problems = [noted(one, note) for one in error.diagnostics]
                raise DdspecError(problems, exit=Exit.INVALID) from None
        return replace(self.read[source.file], note=note)


def _refuse(message: str, at: Place, hint: str = "") -> NoReturn:
    raise DdspecError([Diagnostic(message, at, hint)], exit=Exit.INVALID)


@dataclass(frozen=True, slots=True)
class TreeFiles:
    """The files of the repository that a spec lies in; without one, of the spec's own folder."""

    root: Path
    """Symbolic links resolved; nothing outside of it is read."""
    absolute: bool
    """Whether files are called by their whole path, as the spec was."""

    @classmethod
    def around(cls, spec: Path) -> TreeFiles:
        """Return the files that a spec at this path may extend."""
        folder = Path(os.path.realpath(spec.parent))
        found = (at for at in (folder, *folder.parents) if (at / ".git").exists())
        return cls(next(found, folder), spec.is_absolute())

    def open(self, path: str, child: Source) -> Source:
        """Return the file that `path` names, seen from `child`."""
        if not path.isprintable() or not path or Path(path).is_absolute():
            _unfit(f"`{visible(path)}` is no path relative to this file")
        beside = Path(os.path.realpath(Path(child.file).parent))
        target = Path(os.path.realpath(beside / path))
        if not target.is_relative_to(self.root):
            _unfit(f"`{path}` lies outside of the repository")
        if ".git" in target.relative_to(self.root).parts:
            _unfit(f"`{path}` is git's own, and no file of the repository")
        name = str(target) if self.absolute else os.path.relpath(target)
        return read_source(name, sections=KEYS)


def _unfit(message: str) -> NoReturn:
    raise DdspecError(message, exit=Exit.INVALID, hint="specs extend files of their own repository")
