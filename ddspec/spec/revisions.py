"""Files as they are at a git revision: `main:specs/x.yaml`, read without a working tree."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from ddspec.errors import DdspecError, Diagnostic, Exit, Place
from ddspec.spec.git import ask, complaint
from ddspec.spec.source import MAX_BYTES, Source, source_of
from ddspec.visible import visible

LINK, GITLINK = "120000", "160000"
"""Modes of git for what is no file: a symbolic link, a submodule."""
_NAME = re.compile(r"[^\x00-\x20\x7f:?*\[\\-][^\x00-\x20\x7f:?*\[\\]{0,199}")
"""What is looked up as a revision: no option, no range of paths, no control character."""


@dataclass(frozen=True)
class Repository:
    """A git repository, and where in it this process works."""

    folder: Path
    """Any folder of it; git is asked from there."""
    top: Path | None
    """The root of the working tree; None where there is none."""
    prefix: str
    """The folder, relative to the root: empty or ending in a slash."""

    def revision(self, name: str) -> Revision:
        """Look a revision up; raises `DdspecError` (usage) where git knows none of that name."""
        if _NAME.fullmatch(name) is None:
            raise DdspecError(f"`{visible(name)}` is no name of a revision", exit=Exit.USAGE)
        found = self._commit(name)
        if found is None:
            raise DdspecError(
                f"git knows no revision `{visible(name)}` here",
                exit=Exit.USAGE,
                hint=self._similar(name),
            )
        return Revision(self, name, found)

    def fork(self, base: Revision, name: str = "HEAD") -> Revision | None:
        """Return where `name` left `base`, called as `base` is; None where nothing tells."""
        head = self._commit(name)
        if head is None:
            return None
        answer = ask(self.folder, ["merge-base", base.commit, head])
        return Revision(self, base.name, answer.text) if answer.code == 0 else None

    def inside(self, path: Path) -> str | None:
        """Return a path relative to the root; None where it lies outside of the working tree."""
        if self.top is None:
            return None
        at = Path(posixpath.normpath(Path.cwd() / path))
        for place in (at, at.parent.resolve() / at.name):
            if place.is_relative_to(self.top):
                return place.relative_to(self.top).as_posix()
        return None

    def rooted(self, path: str) -> str:
        """Return a path as git takes it: from the root, unless it begins with `./` or `../`."""
        if path.startswith(("./", "../")):
            path = posixpath.join(self.prefix, path)
        return posixpath.normpath(path)

    def _commit(self, name: str) -> str | None:
        wanted = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
        answer = ask(self.folder, wanted)
        return answer.text if answer.code == 0 and _COMMIT.fullmatch(answer.text) else None

    def _similar(self, name: str) -> str:
        answer = ask(self.folder, ["for-each-ref", "--format=%(refname:short)", "--count=1000"])
        close = get_close_matches(name, ["HEAD", *answer.text.split("\n")], n=1)
        if close:
            return f"did you mean `{visible(close[0])}`?"
        return "a shallow clone has few of them: `git fetch` it" if self._shallow() else ""

    def _shallow(self) -> bool:
        return ask(self.folder, ["rev-parse", "--is-shallow-repository"]).text == "true"


_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file of a revision, by git's own account."""

    mode: str
    oid: str
    size: int
    path: str
    """From the root of the repository."""

    @property
    def readable(self) -> bool:
        """Whether it is a file, and no larger than what a person writes."""
        return self.mode not in (LINK, GITLINK) and self.size <= MAX_BYTES


@dataclass(frozen=True)
class Revision:
    """A commit, and the name that a person gave it."""

    repository: Repository
    name: str
    commit: str

    def spelled(self, path: str) -> str:
        """Return how a file of this revision is called in messages: `main:specs/x.yaml`."""
        return f"{self.name}:{path}"

    def entry(self, path: str) -> Entry | None:
        """Return the file at a path from the root; None where there is none."""
        return next((one for one in self._listed(path) if one.path == path), None)

    def files(self, folder: str = "") -> Iterator[Entry]:
        """Yield the files below a folder, given from the root, in git's order."""
        return self._listed(folder.rstrip("/") + "/" if folder else "", "-r")

    def read(self, path: str, *, most: int = MAX_BYTES) -> bytes:
        """Return the bytes of a regular file of at most `most` bytes.

        Raises `DdspecError` (invalid) where there is none at this revision.
        """
        entry = self.entry(path)
        if entry is None:
            raise self._refused(path, f"does not exist at {visible(self.name)}", self._hint(path))
        if entry.mode in (LINK, GITLINK):
            kind = "a symbolic link" if entry.mode == LINK else "a submodule"
            raise self._refused(path, f"is {kind} at {visible(self.name)}")
        if entry.size > most:
            raise self._refused(path, f"is larger than {most // 2**20} MiB")
        answer = ask(self.repository.folder, ["cat-file", "blob", entry.oid])
        if answer.code != 0:
            raise self._refused(path, f"cannot be read: {complaint(answer)}")
        return answer.out

    def source(self, path: str, sections: Iterable[str]) -> Source:
        """Return a file as `read_source` returns one of the working tree."""
        return source_of(self.read(path), self.spelled(path), sections=sections)

    def open(self, path: str, child: Source) -> Source:
        """Return the file that `path` names, seen from a file of this revision.

        So a revision is what a spec's `extends:` is looked up in. No symbolic link is followed.
        """
        from ddspec.spec.extends import KEYS

        at = child.file.removeprefix(f"{self.name}:")
        inside = posixpath.normpath(posixpath.join(posixpath.dirname(at), path))
        if not path.isprintable() or path.startswith("/") or inside.split("/")[0] == "..":
            raise DdspecError(
                f"`{visible(path)}` is no path inside the repository",
                exit=Exit.INVALID,
                hint="specs extend files of their own repository",
            )
        return self.source(inside, KEYS)

    def renames(self) -> dict[str, str]:
        """Return the paths of this revision of files that are called otherwise now, by those.

        Compared with what is staged; without a working tree, with HEAD.
        """
        bare = self.repository.top is None
        listed = ["diff-tree", "-r"] if bare else ["diff-index", "--cached"]
        ends = [self.commit, "HEAD"] if bare else [self.commit]
        filters = ["-z", "-M", "--name-status", "--diff-filter=R", "--end-of-options"]
        answer = ask(self.repository.folder, [*listed, *filters, *ends])
        fields = answer.text.split("\0")
        return dict(zip(fields[2::3], fields[1::3], strict=False))

    def _listed(self, path: str, *options: str) -> Iterator[Entry]:
        wanted = ["ls-tree", "-z", "-l", "--full-tree", *options, self.commit]
        answer = ask(self.repository.folder, [*wanted, *(["--", path] if path else [])])
        for line in answer.text.split("\0"):
            facts, tab, name = line.partition("\t")
            mode, kind, oid, size = facts.split() if tab else ("", "", "", "")
            if kind in ("blob", "commit"):
                yield Entry(mode, oid, int(size) if size.isdecimal() else 0, name)

    def _refused(self, path: str, what: str, hint: str = "") -> DdspecError:
        shown = visible(self.spelled(path))
        problem = Diagnostic(f"`{visible(path)}` {what}", Place(shown), hint)
        return DdspecError([problem], exit=Exit.INVALID)

    def _hint(self, path: str) -> str:
        """Return what may have been meant: a path from here, or a file of a similar name."""
        prefix = self.repository.prefix
        if prefix and self.entry(posixpath.normpath(prefix + path)) is not None:
            return f"paths begin at the root: `{visible(self.name)}:./{visible(path)}` is from here"
        beside = [one.path for one in self.files(str(PurePosixPath(path).parent).strip("."))]
        close = get_close_matches(path, beside, n=1)
        return f"did you mean `{visible(self.spelled(close[0]))}`?" if close else ""


def repository_of(folder: Path) -> Repository:
    """Return the repository of a folder; raises `DdspecError` (unable) where there is none."""
    answer = ask(folder, ["rev-parse", "--is-inside-work-tree", "--show-prefix"])
    if answer.code != 0:
        raise DdspecError(f"git: {complaint(answer)}", exit=Exit.UNABLE)
    worktree, _, prefix = answer.text.partition("\n")
    if worktree != "true":
        return Repository(folder, None, "")
    top = ask(folder, ["rev-parse", "--show-toplevel"])
    if top.code != 0:
        raise DdspecError(f"git: {complaint(top)}", exit=Exit.UNABLE)
    return Repository(folder, Path(top.text), prefix)
