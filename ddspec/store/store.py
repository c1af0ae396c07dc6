"""A store: finished outputs, claims and journal under one folder."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from ddspec.canon import Digest, canonical
from ddspec.disk import create_whole, full_disk_named
from ddspec.errors import DdspecError, Exit
from ddspec.store.claims import Claims
from ddspec.store.journal import Journal
from ddspec.store.layout import FOLDERS, STORE_FORMAT, Layout
from ddspec.store.objects import Objects


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
    def journal(self) -> Journal:
        """What became of each attempt."""
        return Journal(self.layout)

    def result(self, key: Digest) -> dict[str, JsonValue]:
        """Return result.json of a stored output; an empty one where there is none."""
        try:
            plain: dict[str, JsonValue] = json.loads(
                (self.layout.object(key) / "result.json").read_bytes()
            )
        except (OSError, ValueError):
            return {}
        return plain

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


def open_store(home: Path) -> Store:
    """Open the store in a folder, which is created where there is none.

    Raises DdspecError (exit 6) where it cannot be written, (exit 4) where a newer version made it.
    """
    layout = Layout(home.absolute())
    try:
        for folder in FOLDERS:
            (layout.home / folder).mkdir(parents=True, exist_ok=True)
        return Store(layout, _identity(layout) or _create(layout))
    except (PermissionError, NotADirectoryError, FileExistsError) as error:
        raise DdspecError(
            f"cannot use {layout.home} as the store: {error.strerror}",
            exit=Exit.UNABLE,
            hint="name another place with `--home` or DDSPEC_HOME",
        ) from error


def _identity(layout: Layout) -> str | None:
    try:
        plain = json.loads(layout.identity.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DdspecError(f"{layout.identity} is damaged", exit=Exit.UNABLE) from error
    if plain["format"] != STORE_FORMAT:
        raise DdspecError(
            f"{layout.home} is a store of format {plain['format']}, this version reads"
            f" {STORE_FORMAT}",
            exit=Exit.CHANGED,
            hint="update ddspec, or name another place with `--home`",
        )
    return str(plain["id"])


def _create(layout: Layout) -> str:
    """Name a new store; the first of two creators wins."""
    with full_disk_named(layout.home):
        create_whole(layout.home / ".gitignore", b"*\n")
        identity = {"format": STORE_FORMAT, "id": secrets.token_hex(8)}
        create_whole(layout.identity, canonical(identity) + b"\n")
    return str(json.loads(layout.identity.read_bytes())["id"])
