"""A full disk: a clear message, nothing half-published, and the next run goes on."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.store import manifest, objects
from ddspec.store.store import Store, open_store

KEY = "ab" + "0" * 62


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    place = tmp_path / "tiny"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root and the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def leave_output(store: Store) -> Path:
    source = store.layout.output("attempt-1", KEY)
    source.mkdir(parents=True)
    (source / "data").write_text("content")
    return source


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"0" * 4096)


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_named_and_nothing_is_half_published(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = leave_output(store)
    monkeypatch.setattr("os.fsync", no_space)

    with pytest.raises(DdspecError, match=r"disk full: cannot write to .*home \([\d,]+ bytes free"):
        store.objects.publish(source, KEY)
    monkeypatch.undo()

    assert not store.layout.object(KEY).exists()
    assert [path.name for path in source.iterdir()] == ["data"]
    assert store.objects.publish(source, KEY) == store.layout.object(KEY)


def test_other_errors_of_the_disk_are_not_called_a_full_disk(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = leave_output(store)

    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(objects, "sync", broken)

    with pytest.raises(OSError, match="Input/output error"):
        store.objects.publish(source, KEY)


def test_a_really_full_file_system_is_survived(tiny: Path) -> None:
    store = open_store(tiny / "home")
    source = leave_output(store)
    filler = tiny / "filler"
    fill(filler)

    with pytest.raises(DdspecError, match=r"\(0 bytes free\)") as caught:
        store.objects.publish(source, KEY)
    filler.unlink()

    assert caught.value.exit == Exit.UNABLE
    assert [path.name for path in source.iterdir()] == ["data"]
    assert store.objects.publish(source, KEY) == store.layout.object(KEY)
    assert manifest.read_manifest(store.layout.object(KEY), KEY) is not None
