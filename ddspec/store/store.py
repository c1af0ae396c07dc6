"""A store: finished outputs, claims and journal under one folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard

from pydantic import JsonValue

from ddspec.canon import Digest, canonical
from ddspec.disk import create_whole, full_disk_named
from ddspec.errors import DdspecError, Exit
from ddspec.store.claims import Claims
from ddspec.store.holds import Holds
from ddspec.store.journal import Journal
from ddspec.store.layout import FOLDERS, STORE_FORMAT, Layout
from ddspec.store.manifest import read_small
from ddspec.store.objects import Objects
from ddspec.store.planned import Planned
from ddspec.visible import visible

LONGEST_S = 1e12
"""Of working time; whatever claims more is wrong."""


@dataclass(frozen=True, slots=True)
class StoredResult:
    """What a finished stage says of itself; read leniently, for the manifest vouches for it."""

    seconds: float | None
    """Working time behind the output, over all attempts."""
    metrics: Mapping[str, JsonValue]
    engine: Mapping[str, JsonValue]
    """Versions, device and threads."""
    kind: str = ""
    """Of the stage that made it; empty where it does not say."""


@dataclass(frozen=True, slots=True)
class Store:
    """One store."""

    layout: Layout
    id: str
    """Names this store among others, so that an executor can say which jobs are ours."""

    @property
    def objects(self) -> Objects:
        """Finished outputs."""
        return Objects(self.layout)

    @property
    def claims(self) -> Claims:
        """Who works on what."""
        return Claims(self.layout)

    @property
    def holds(self) -> Holds:
        """Living runs, and what they count on."""
        return Holds(self.layout)

    @property
    def journal(self) -> Journal:
        """What became of each attempt."""
        return Journal(self.layout)

    @property
    def planned(self) -> Planned:
        """What runs were asked to do."""
        return Planned(self.layout)

    def result(self, key: Digest) -> StoredResult | None:
        """Return what the result.json of a stored output tells; None where there is none."""
        try:
            plain = json.loads(read_small(f"{self.layout.object(key)}/result.json"))
        except (OSError, ValueError):
            return None
        if not isinstance(plain, dict):
            return None
        seconds = plain.get("seconds")
        return StoredResult(
            float(seconds) if _is_duration(seconds) else None,
            _mapping(plain.get("metrics")),
            _mapping(plain.get("engine")),
            kind if isinstance(kind := plain.get("kind"), str) else "",
        )

    def archive_scratch(self, key: Digest) -> None:
        """Remove the checkpoints of a published key; the record of its progress stays."""
        folder = self.layout.scratch / key
        if not folder.is_dir():
            return
        with os.scandir(folder) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                elif entry.name != "events.jsonl":
                    Path(entry.path).unlink()


def _is_duration(value: JsonValue) -> TypeGuard[float]:
    return isinstance(value, int | float) and 0 <= value < LONGEST_S


def _mapping(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def open_store(home: Path) -> Store:
    """Open the store in a folder, which is created where there is none.

    Raises DdspecError (exit 6) where it cannot be written, or where a folder that is no store holds
    other things, and (exit 4) where a newer version made it.
    """
    layout = Layout(home.absolute())
    if not _is_utf8(str(layout.home)):  # the format of tensors takes no other paths
        raise _unusable(layout.home, "its path is not UTF-8")
    try:
        known = _identity(layout)
        if known is None:
            _refuse_foreign(layout.home)
        for folder in FOLDERS:
            (layout.home / folder).mkdir(parents=True, exist_ok=True)
        return Store(layout, known or _create(layout))
    except OSError as error:
        raise _unusable(layout.home, (error.strerror or str(error)).lower()) from error


def _identity(layout: Layout) -> str | None:
    """Return the name of a store; None where there is none yet."""
    path = layout.identity
    try:
        if path.exists() and not path.is_file():  # reading a pipe would wait for ever
            raise ValueError
        plain = json.loads(path.read_bytes())
        form, name = plain["format"], plain.get("id")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DdspecError(
            f"{path} is damaged",
            exit=Exit.UNABLE,
            hint="it names the store; name another place with `--home` or DDSPEC_HOME",
        ) from error
    if form != STORE_FORMAT or not isinstance(name, str):
        raise DdspecError(
            f"{layout.home} is a store of format {form}, this version reads {STORE_FORMAT}",
            exit=Exit.CHANGED,
            hint="update ddspec, or name another place with `--home`",
        )
    return name


def _is_utf8(path: str) -> bool:
    """Tell whether a path is text; the bytes of others reach Python as surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in path)


def _refuse_foreign(home: Path) -> None:
    """Refuse to make a store among the files of a person: it would hide them from git."""
    if not home.is_dir():
        return
    ours = {*FOLDERS, "plans", "results", "cache", "runs", "removed", ".gitignore"}
    halves = (".store.json.", "..gitignore.")
    others = sorted(
        entry.name
        for entry in home.iterdir()
        if entry.name not in ours and not entry.name.startswith(halves)
    )
    if others:
        raise _unusable(
            home, f"it is no store, and holds other things such as `{visible(others[0])}`"
        )


def _unusable(home: Path, why: str) -> DdspecError:
    return DdspecError(
        f"cannot use {home} as the store: {why}",
        exit=Exit.UNABLE,
        hint="name another place with `--home` or DDSPEC_HOME",
    )


def _create(layout: Layout) -> str:
    """Name a new store; the first of two creators wins."""
    with full_disk_named(layout.home):
        create_whole(layout.home / ".gitignore", b"*\n")
        identity = {"format": STORE_FORMAT, "id": secrets.token_hex(8)}
        create_whole(layout.identity, canonical(identity) + b"\n")
    return _identity(layout) or ""
