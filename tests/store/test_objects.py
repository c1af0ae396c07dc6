"""Objects appear whole, and a damaged one is found, named, and never used."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ddspec.host import host_name
from ddspec.store import manifest as manifest_module
from ddspec.store import objects as objects_module
from ddspec.store.manifest import sha256_of
from ddspec.store.objects import DamagedObject
from ddspec.store.store import Store, open_store

KEY = "ab" + "0" * 62
Publish = Callable[..., Path]


def keep_times(path: Path, change: Callable[[Path], object]) -> None:
    """Change a file behind the back of its times, as a failing disk does."""
    before = path.stat()
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_published_output_is_there_and_its_source_is_gone(store: Store, publish: Publish) -> None:
    folder = publish(data="content", sub__more="deeper")

    assert store.objects.has(KEY)
    assert store.objects.fetch(KEY) == folder
    assert (folder / "sub/more").read_text() == "deeper"
    assert not store.layout.output("attempt-1", KEY).exists()


def test_what_was_never_published_is_absent(store: Store) -> None:
    assert not store.objects.has(KEY)
    with pytest.raises(KeyError):
        store.objects.fetch(KEY)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        pytest.param(
            lambda f: (f / "data").write_text("cont"), "data has 4 bytes instead of 7", id="cut"
        ),
        pytest.param(
            lambda f: (f / "data").write_text("CONTENT"),
            "data has another content than was published",
            id="altered",
        ),
        pytest.param(lambda f: (f / "data").unlink(), "data is missing", id="missing"),
        pytest.param(
            lambda f: (f / "manifest.json").unlink(),
            "manifest.json is missing or unreadable",
            id="no manifest",
        ),
        pytest.param(
            lambda f: (f / "manifest.json").write_text("{"),
            "manifest.json is missing or unreadable",
            id="half a manifest",
        ),
    ],
)
def test_damage_shows_without_reading_everything(
    store: Store, publish: Publish, damage: Callable[[Path], object], problem: str
) -> None:
    damage(publish())

    assert not store.objects.has(KEY)
    assert store.objects.problem(KEY) == problem


def test_an_untouched_object_is_told_by_its_manifest_alone(
    store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(data="content", sub__more="deeper")
    read: list[str] = []

    def counted(path: str) -> bytes:
        read.append(Path(path).name)
        return Path(path).read_bytes()

    monkeypatch.setattr(manifest_module, "read_small", counted)
    monkeypatch.setattr(objects_module, "sha256_of", lambda path: pytest.fail(f"{path} is read"))

    assert store.objects.has(KEY)
    assert read == ["manifest.json"]


def test_damage_deep_in_an_object_is_found_by_its_size(store: Store, publish: Publish) -> None:
    folder = publish(data="content", sub__more="deeper")
    (folder / "sub/more").write_text("deep")

    assert store.objects.problem(KEY) == "sub/more has 4 bytes instead of 6"


def test_silent_damage_is_found_before_the_first_use(store: Store, publish: Publish) -> None:
    keep_times(publish() / "data", lambda path: path.write_text("CONTENT"))

    with pytest.raises(DamagedObject, match="data has another content"):
        store.objects.fetch(KEY)
    assert not store.objects.has(KEY)
    assert [path.name for path in store.layout.damaged.iterdir()] == [f"{KEY}-1"]


def test_a_full_hash_is_made_once_per_host_and_boot(
    store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish()
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr(objects_module, "sha256_of", counted)

    store.objects.fetch(KEY)
    store.objects.fetch(KEY)
    once = len(hashed)
    monkeypatch.setattr(objects_module, "boot_id", lambda: "another boot")
    store.objects.fetch(KEY)

    assert (once, len(hashed)) == (2, 4)


def test_a_copied_store_is_rehashed_and_then_trusted(
    store: Store, publish: Publish, tmp_path: Path
) -> None:
    publish()
    shutil.copytree(store.layout.home, tmp_path / "copy")

    copy = open_store(tmp_path / "copy")

    assert copy.objects.has(KEY)
    assert copy.layout.verified(os.uname().nodename, KEY).exists()


def test_a_second_publisher_takes_what_is_there(store: Store, publish: Publish) -> None:
    first = (publish() / "data").stat().st_ino

    second = publish() / "data"

    assert second.stat().st_ino == first


def test_publishing_replaces_what_is_damaged(store: Store, publish: Publish) -> None:
    (publish() / "data").write_text("wrong!!")

    folder = publish()

    assert (folder / "data").read_text() == "content"
    assert store.objects.has(KEY)


def test_a_publication_that_was_killed_is_done_again(store: Store, publish: Publish) -> None:
    source = store.layout.output("attempt-1", KEY)
    source.mkdir(parents=True)
    (source / "manifest.json").write_text("of the first try")
    (source / ".manifest.json.1234").write_text("half of one")

    publish()

    assert store.objects.has(KEY)


def test_anything_but_files_is_not_published(store: Store) -> None:
    source = store.layout.output("attempt-1", KEY)
    source.mkdir(parents=True)
    (source / "link").symlink_to("/etc/passwd")

    with pytest.raises(ValueError, match="link is not a regular file"):
        store.objects.publish(source, KEY)
    assert not store.objects.has(KEY)


def test_keys_are_told_in_order_and_files_beside_them_are_not(
    store: Store, publish: Publish
) -> None:
    others = ["ab" + "1" * 62, "01" + "f" * 62]
    for key in (KEY, *others):
        publish(key)
    (store.layout.objects / "ab.txt").write_text("a note")

    assert list(store.objects.keys()) == [others[1], KEY, others[0]]


def test_verifying_names_every_damaged_object(store: Store, publish: Publish) -> None:
    other = "cd" + "0" * 62
    publish()
    keep_times(publish(other) / "data", lambda path: path.write_text("CONTENT"))

    found = dict(store.objects.verify_all())

    assert found == {KEY: None, other: "data has another content than was published"}


FORGED: dict[str, Callable[[dict[str, Any]], object]] = {
    "a list": lambda plain: plain.update(files=[]),
    "a size in words": lambda plain: plain["files"]["data"].update(size="big"),
    "a path that leads out": lambda plain: plain["files"].update({"../x": plain["files"]["data"]}),
    "an absolute path": lambda plain: plain["files"].update({"/etc": plain["files"]["data"]}),
    "a path that leads out by a detour": lambda plain: plain["files"].update(
        {"sub/../../x": plain["files"]["data"]}
    ),
    "a size with a fraction": lambda plain: plain["files"]["data"].update(size=7.5),
    "a file without an inode": lambda plain: plain["files"]["data"].pop("inode"),
    "a record in words": lambda plain: plain["files"].update(data="content"),
    "a path with a zero": lambda plain: plain["files"].update({"a\0": plain["files"]["data"]}),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_a_manifest_that_nobody_could_have_written_is_damage(
    store: Store, publish: Publish, forge: Callable[[dict[str, Any]], object]
) -> None:
    manifest = publish() / "manifest.json"
    plain = json.loads(manifest.read_text())
    forge(plain)
    manifest.write_text(json.dumps(plain))

    assert store.objects.problem(KEY) == "manifest.json is missing or unreadable"


@pytest.mark.parametrize("name", ["data", "manifest.json"])
def test_a_link_or_a_pipe_in_an_object_is_damage(store: Store, publish: Publish, name: str) -> None:
    path = publish() / name
    path.rename(store.layout.home / "moved")
    path.symlink_to(store.layout.home / "moved")

    assert not store.objects.has(KEY)
    path.unlink()
    os.mkfifo(path)
    assert not store.objects.has(KEY)


@pytest.mark.parametrize("content", ["[]", "{}", "x", '{"boot": 1, "files": {"a": 1}}'])
def test_a_damaged_note_of_what_was_rehashed_costs_a_rehash(
    store: Store, publish: Publish, content: str
) -> None:
    publish()
    store.objects.fetch(KEY)
    store.layout.verified(host_name(), KEY).write_text(content)

    assert store.objects.fetch(KEY) == store.layout.object(KEY)


def test_a_copied_store_that_may_not_be_written_can_be_read(
    store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    os.utime(publish() / "data")
    monkeypatch.setattr(objects_module, "write_whole", refuse)

    assert store.objects.has(KEY)
