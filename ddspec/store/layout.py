"""Where everything lies in a store: the only place that builds its paths.

Below the home of the store::

objects/ab/KEY/          finished outputs; manifest.json is the commit marker
attempts/ATTEMPT/        root of one job: job/ inputs/ output/, its handle, exit code and text
scratch/KEY/             checkpoints and events.jsonl of a key, survive a kill
claims/KEY               who works on a key
journal/KEY/ATTEMPT.json what became of each attempt
locks/KEY.lock           guards edits of a claim, and publishing
runs/PID-ID.json         living runs, and the keys that they count on
verified/HOST/KEY        what this host has rehashed since it was started
damaged/KEY-N/           objects that were set aside
cache/                   what compilers in containers keep; nothing in it changes a result
plans/NAME/TIME-ID.json  what the last runs of this name were asked to do
results/NAME/            distilled sets as they are handed out, with card and measured accuracy
removed/                 what is being removed; nothing looks in here
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ddspec.canon import Digest
from ddspec.errors import DdspecError, Exit

STORE_FORMAT = "ddspec.store/1"
FOLDERS = ("objects", "attempts", "scratch", "claims", "journal", "locks", "verified", "damaged")
HOME_VARIABLE = "DDSPEC_HOME"
HOME_NAME = ".ddspec"


def find_home(start: Path, environ: Mapping[str, str], explicit: Path | None = None) -> Path:
    """Return the folder of the store; it need not exist.

    `explicit` wins, then DDSPEC_HOME, then `.ddspec` of the nearest parent of `start` that has
    one, then of the repository that `start` lies in, then of `start` itself. A store that was found
    and not named must be ours, or root's: whoever owns a store decides what is in it, and may leave
    links in it that we would write through. Raises DdspecError (exit 5) for one of somebody else.
    """
    if explicit is not None:
        return explicit.absolute()
    if environ.get(HOME_VARIABLE):
        return Path(environ[HOME_VARIABLE]).absolute()
    parents = (start.absolute(), *start.absolute().parents)
    for parent in parents:
        if (parent / HOME_NAME / "store.json").is_file():
            return _ours(parent / HOME_NAME)
    root = next((parent for parent in parents if (parent / ".git").exists()), parents[0])
    return _ours(root / HOME_NAME)


def _ours(home: Path) -> Path:
    """Return a store that may be used without having been named."""
    try:
        owner = home.stat().st_uid
    except OSError:  # there is none yet, or it cannot be used, which opening it says better
        return home
    if owner in (os.geteuid(), 0):
        return home
    raise DdspecError(
        f"the store {home} belongs to another user ({owner})",
        exit=Exit.REFUSED,
        hint=f"`--home {home}` or DDSPEC_HOME uses it all the same, `--home` another place",
    )


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths of one store."""

    home: Path
    """Absolute."""

    @property
    def identity(self) -> Path:
        """The file that names the store and its format."""
        return self.home / "store.json"

    @property
    def attempts(self) -> Path:
        """Roots of jobs."""
        return self.home / "attempts"

    @property
    def scratch(self) -> Path:
        """Folders that survive a kill, one a key."""
        return self.home / "scratch"

    @property
    def claims(self) -> Path:
        """Who works on what."""
        return self.home / "claims"

    @property
    def results(self) -> Path:
        """Distilled sets as they are handed out, by the name of their experiment."""
        return self.home / "results"

    def planned(self, name: str) -> Path:
        """Return the folder of what runs of a name were asked to do."""
        return self.plans / name

    @property
    def plans(self) -> Path:
        """What runs were asked to do, by the name of their experiment."""
        return self.home / "plans"

    @property
    def runs(self) -> Path:
        """Living runs, and what they count on."""
        return self.home / "runs"

    @property
    def removed(self) -> Path:
        """What is being removed."""
        return self.home / "removed"

    @property
    def journals(self) -> Path:
        """What became of all attempts, one folder a key."""
        return self.home / "journal"

    @property
    def cache(self) -> Path:
        """What compilers in containers keep."""
        return self.home / "cache"

    @property
    def objects(self) -> Path:
        """Finished outputs."""
        return self.home / "objects"

    @property
    def damaged(self) -> Path:
        """Objects that were set aside."""
        return self.home / "damaged"

    def object(self, key: Digest) -> Path:
        """Return where the finished output of a key lies, or would."""
        return self.home / f"objects/{key[:2]}/{key}"  # one join: asked for thousands of keys

    def output(self, attempt: str, key: Digest) -> Path:
        """Return where a job puts the output of one of its stages."""
        return self.attempts / attempt / "output" / key

    def events(self, key: Digest) -> Path:
        """Return the record of a key's progress."""
        return self.home / f"scratch/{key}/events.jsonl"

    def lock(self, name: str) -> Path:
        """Return the lock file that guards a key, or another name."""
        return self.home / "locks" / f"{name}.lock"

    def journal(self, key: Digest) -> Path:
        """Return the folder of a key's attempts."""
        return self.journals / key

    def verified(self, host: str, key: Digest) -> Path:
        """Return the file that says when a host rehashed an object."""
        return self.home / "verified" / host / key
