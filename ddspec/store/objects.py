"""Finished outputs by key: published whole, checked before use, set aside when damaged."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ddspec.canon import Digest, canonical
from ddspec.disk import full_disk_named, sync, write_whole
from ddspec.errors import DdspecError, Exit
from ddspec.host import boot_id, host_name
from ddspec.store.layout import Layout
from ddspec.store.manifest import MANIFEST, Look, look_of, measure, read_manifest, sha256_of


class DamagedObject(DdspecError):
    """An object is not what was published; it has been set aside, so the key is absent now."""

    def __init__(self, key: Digest, problem: str) -> None:
        self.key = key
        self.problem = problem
        super().__init__(
            f"stored output {key[:16]} is damaged: {problem}",
            exit=Exit.FAILED,
            hint="it was set aside; `ddspec run` makes it again",
        )


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of one store."""

    layout: Layout

    def has(self, key: Digest) -> bool:
        """Return whether a key is there and looks untouched; changes nothing."""
        return self.layout.object(key).exists() and self.problem(key) is None

    def problem(self, key: Digest) -> str | None:
        """Return what is wrong with an object, None if nothing shows; reads few bytes.

        Size, time and inode of every file must be those of the manifest, or those that this host
        saw when it last rehashed the object. A file that looks touched, or copied, is rehashed.
        """
        folder = self.layout.object(key)
        manifest = read_manifest(folder, key)
        if manifest is None:
            return f"{MANIFEST} is missing or unreadable"
        try:
            looks = {name: look_of(f"{folder}/{name}") for name in manifest.files}
        except OSError as error:
            return f"{Path(error.filename).name} is missing"
        for name, record in manifest.files.items():
            if looks[name].size != record.look.size:
                return f"{name} has {looks[name].size:,} bytes instead of {record.look.size:,}"
        if all(looks[name] == record.look for name, record in manifest.files.items()):
            return None
        return None if looks == self._seen(key) else self._rehash(key)

    def fetch(self, key: Digest) -> Path:
        """Return the folder of an object, rehashed in full once per host and boot.

        Raises `DamagedObject` after setting a damaged one aside, KeyError where there is none.
        """
        folder = self.layout.object(key)
        if not folder.exists():
            raise KeyError(key)
        problem = self.problem(key)
        if problem is None and self._seen(key) is None:
            problem = self._rehash(key)
        if problem is not None:
            self.set_aside(key)
            raise DamagedObject(key, problem)
        return folder

    def publish(self, source: Path, key: Digest) -> Path:
        """Move a finished output into the store, durable before it can be seen; return its folder.

        `source` lies in the same store and nothing writes to it any more. An object that is there
        already and unharmed is taken instead, and `source` removed. A full disk raises DdspecError
        (exit 6) and leaves `source` as it was. The caller holds the key's lock.
        """
        target = self.layout.object(key)
        if target.exists():
            if self._rehash(key) is None:
                shutil.rmtree(source)
                return target
            self.set_aside(key)
        with full_disk_named(self.layout.home):
            manifest = measure(source, key)
            for name in manifest.files:
                sync(source / name)
            for folder in {(source / name).parent for name in manifest.files} - {source}:
                sync(folder)
            write_whole(source / MANIFEST, manifest.encoded(), durable=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            sync(target.parent)
        return target

    def set_aside(self, key: Digest) -> Path:
        """Move an object out of the way, so that its key is absent; return where it lies now."""
        number = sum(1 for _ in self.layout.damaged.glob(f"{key}-*")) + 1
        target = self.layout.damaged / f"{key}-{number}"
        with suppress(FileNotFoundError):  # another run may have set it aside just now
            self.layout.object(key).rename(target)
        return target

    def keys(self) -> Iterator[Digest]:
        """Yield the keys of all objects, damaged or not."""
        with os.scandir(self.layout.objects) as entries:
            shelves = sorted(entry.path for entry in entries if entry.is_dir())
        for shelf in shelves:
            with os.scandir(shelf) as entries:
                yield from sorted(entry.name for entry in entries)

    def verify_all(self) -> Iterator[tuple[Digest, str | None]]:
        """Rehash everything; yield each key with what is wrong with it, or None."""
        for key in self.keys():
            yield key, self._rehash(key)

    def _rehash(self, key: Digest) -> str | None:
        folder = self.layout.object(key)
        manifest = read_manifest(folder, key)
        if manifest is None:
            return f"{MANIFEST} is missing or unreadable"
        looks = {}
        for name, record in manifest.files.items():
            try:
                looks[name] = look_of(folder / name)
                same = sha256_of(folder / name) == record.sha256
            except OSError:
                return f"{name} is missing or unreadable"
            if not same:
                return f"{name} has another content than was published"
        self._remember(key, looks)
        return None

    def _seen(self, key: Digest) -> dict[str, Look] | None:
        """Return how the files looked when this host rehashed them, if it did in this boot."""
        try:
            plain = json.loads(self.layout.verified(host_name(), key).read_bytes())
            files = {name: Look(*look) for name, look in plain["files"].items()}
            return files if plain["boot"] == boot_id() else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def _remember(self, key: Digest, looks: dict[str, Look]) -> None:
        """Note how the files look now; a store that may only be read is rehashed every time."""
        path = self.layout.verified(host_name(), key)
        files = {name: [look.size, look.mtime_ns, look.inode] for name, look in looks.items()}
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, canonical({"boot": boot_id(), "files": files}))
