"""A lock says what a folder of images holds, and notices every change of it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ddspec.errors import DdspecError, Exit
from ddspec.spec.lock import (
    Lock,
    LockedClass,
    Split,
    content_of,
    digest_of_splits,
    lock_path,
    read_lock,
    scan_folder,
)
from ddspec.spec.lock_text import write_lock

SPLITS = {"train": "train", "test": "val"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "images"
    for name, content in {
        "train/ant/1.png": b"one",
        "train/ant/2.JPG": b"two",
        "train/bee/1.png": b"three",
        "val/ant/9.png": b"four",
        "val/bee/9.png": b"five",
    }.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def scan(root: Path, threads: int = 1) -> Lock:
    return scan_folder(root, None, {"train": "train", "test": "val"}, threads=threads)


def naive_digest(root: Path) -> str:
    """Return the digest written from its definition, with nothing but hashlib and json."""

    def plain(value: object) -> str:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    splits: dict[str, dict[str, list[object]]] = {}
    for split, folder in SPLITS.items():
        splits[split] = {}
        for name in sorted(p.name for p in (root / folder).iterdir()):
            files = sorted((root / folder / name).iterdir())
            rows = [[file.name, hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
            splits[split][name] = [len(rows), plain(rows)]
    return plain(splits)


def test_the_digest_is_the_one_of_its_definition(tree: Path) -> None:
    assert content_of(scan(tree)) == naive_digest(tree)


def test_counts_are_per_split_and_class(tree: Path) -> None:
    lock = scan(tree)

    assert lock.images("train") == {"ant": 2, "bee": 1}
    assert lock.images("test") == {"ant": 1, "bee": 1}


@pytest.mark.parametrize("threads", [1, 3])
def test_neither_place_nor_time_nor_threads_count(tree: Path, tmp_path: Path, threads: int) -> None:
    first = scan(tree)
    moved = tree.rename(tmp_path / "elsewhere")
    for path in moved.rglob("*"):
        os.utime(path, (0, 0))

    assert scan(moved, threads=threads) == first


def _rename(root: Path) -> None:
    (root / "train/ant/1.png").rename(root / "train/ant/0.png")


def _edit(root: Path) -> None:
    (root / "train/bee/1.png").write_bytes(b"threE")


def _remove(root: Path) -> None:
    (root / "train/ant/1.png").unlink()


def _move_to_another_class(root: Path) -> None:
    (root / "train/ant/1.png").rename(root / "train/bee/3.png")


def _swap_splits(root: Path) -> None:
    (root / "train/ant/2.JPG").rename(root / "val/ant/2.JPG")


@pytest.mark.parametrize("change", [_rename, _edit, _remove, _move_to_another_class, _swap_splits])
def test_every_change_of_the_images_is_noticed(tree: Path, change: Callable[[Path], None]) -> None:
    before = content_of(scan(tree))
    change(tree)

    assert content_of(scan(tree)) != before


def test_other_files_are_counted_and_ignored(tree: Path) -> None:
    before = scan(tree)
    (tree / "train/ant/notes.txt").write_text("hello")
    (tree / "train/bee/Thumbs.db").write_text("x")
    (tree / "train/bee/.hidden.png").write_text("x")

    after = scan(tree)

    assert (before.ignored, after.ignored) == (0, 2)
    assert content_of(after) == content_of(before)


def test_named_classes_alone_are_locked(tree: Path) -> None:
    lock = scan_folder(tree, ["bee"], {"train": "train"})

    assert lock.images("train") == {"bee": 1}
    assert list(lock.splits) == ["train"]


def test_files_are_hashed_a_window_at_a_time(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scan(tree)
    monkeypatch.setattr("ddspec.spec.lock.WINDOW", 2)

    assert scan(tree, threads=3) == whole


def test_progress_counts_files(tree: Path) -> None:
    told: list[tuple[int, int]] = []
    scan_folder(
        tree, None, {"train": "train"}, advance=lambda done, total: told.append((done, total))
    )

    assert told == [(1, 3), (2, 3), (3, 3)]


def _empty_classes(root: Path) -> None:
    (root / "val/bee/9.png").unlink()
    (root / "train/bee/1.png").rename(root / "train/bee/1.txt")


def _missing_class(root: Path) -> None:
    (root / "val/bee/9.png").unlink()
    (root / "val/bee").rmdir()


def _link_to_a_file(root: Path) -> None:
    (root / "train/ant/3.png").symlink_to("/etc/hostname")


def _link_to_a_folder(root: Path) -> None:
    (root.parent / "cat").mkdir()
    (root.parent / "cat/1.png").touch()
    (root / "train/cat").symlink_to(root.parent / "cat")
    (root / "val/cat").symlink_to(root.parent / "cat")


def _no_classes(root: Path) -> None:
    (root / "train").rename(root / "old")
    (root / "train").mkdir()


@pytest.mark.parametrize(
    ("change", "messages"),
    [
        pytest.param(
            _empty_classes,
            [
                "class `bee` has no images in train: `{root}/train/bee`",
                "class `bee` has no images in test: `{root}/val/bee`",
            ],
            id="empty-classes",
        ),
        pytest.param(_missing_class, ["`{root}/val/bee` is not a folder"], id="missing-class"),
        pytest.param(
            _link_to_a_file,
            ["`{root}/train/ant/3.png` leads out of the data folder"],
            id="link-to-a-file-outside",
        ),
        pytest.param(
            _link_to_a_folder,
            [
                "`{root}/train/cat` leads out of the data folder",
                "`{root}/val/cat` leads out of the data folder",
            ],
            id="link-to-a-folder-outside",
        ),
        pytest.param(_no_classes, ["`{root}/train` holds no class folders"], id="no-classes"),
    ],
)
def test_unusable_trees_are_refused_by_name(
    tree: Path, change: Callable[[Path], None], messages: list[str]
) -> None:
    change(tree)

    with pytest.raises(DdspecError) as raised:
        scan(tree)

    found = [one.message for one in raised.value.diagnostics]
    assert found == [message.format(root=tree) for message in messages]
    assert raised.value.exit is Exit.UNABLE


def test_links_that_stay_inside_are_images(tree: Path) -> None:
    (tree / "train/ant/3.png").symlink_to(tree / "train/ant/1.png")

    assert scan(tree).images("train")["ant"] == 3


def test_classes_never_lead_out_of_the_folder(tree: Path) -> None:
    outside = tree.parent / "outside"
    outside.mkdir()
    (outside / "1.png").touch()

    with pytest.raises(DdspecError) as raised:
        scan_folder(tree, ["../../outside"], {"train": "train"})

    assert "leads out of the data folder" in str(raised.value)


def test_images_that_somebody_may_not_read_are_told_with_the_way_out(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", closed)

    with pytest.raises(DdspecError, match="Permission denied") as raised:
        scan(tree)

    assert f"user {os.geteuid()} may not: `chmod -R a+rX`" in str(raised.value)


def test_a_name_that_is_not_utf_8_is_refused(tree: Path) -> None:
    Path(os.fsdecode(os.fsencode(tree / "train/ant") + b"/\xff.png")).touch()

    with pytest.raises(DdspecError) as raised:
        scan(tree)

    assert "is not UTF-8" in str(raised.value)


def test_a_lock_survives_being_written(tree: Path, tmp_path: Path) -> None:
    lock, path = scan(tree), tmp_path / "x.lock.yaml"

    write_lock(path, lock)

    assert read_lock(path) == lock


def test_the_same_lock_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    lock = scan(tree)
    reordered = lock.model_copy(
        update={
            "splits": {
                split: dict(reversed(list(lock.splits[split].items())))
                for split in reversed(list(lock.splits))
            }
        }
    )

    write_lock(tmp_path / "a", lock)
    write_lock(tmp_path / "b", reordered)

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a", "b"]


def test_a_failed_write_leaves_the_old_lock(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.lock.yaml"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", _no_space)

    with pytest.raises(OSError, match="No space"):
        write_lock(path, scan(tree))

    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["x.lock.yaml"]


def _no_space(handle: int) -> None:
    raise OSError(28, "No space left on device")


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
AWKWARD = st.text("\x7f\x85\ufeff\u2028\u202e\U0001f41c'\"\\:# ", min_size=1, max_size=4)


@settings(max_examples=40, deadline=None)
@given(names=st.sets(NAMES | AWKWARD, min_size=1, max_size=4))
def test_any_folder_name_survives(
    tmp_path_factory: pytest.TempPathFactory, names: set[str]
) -> None:
    locked = {name: LockedClass(images=1, digest="0" * 64) for name in names}
    splits: dict[Split, dict[str, LockedClass]] = {"train": locked}
    lock = Lock.model_validate(
        {"kind": "folder", "splits": splits, "digest": digest_of_splits(splits)}
    )
    path = tmp_path_factory.getbasetemp() / "names.lock.yaml"

    write_lock(path, lock)

    assert read_lock(path) == lock


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            "images: 2",
            "images: 3",
            ":4:9: the digest does not follow from the classes below: "
            "this lock was edited or damaged",
            id="edited-count",
        ),
        pytest.param(
            "ddspec.lock/1", "ddspec.lock/2", ":2:9: `format` must be `ddspec.lock/1`", id="newer"
        ),
        pytest.param("images: 2", "images: 0", "must be an integer of at least 1", id="no-images"),
        pytest.param(
            "  train:", "  trial:", ":7:3: unknown key `trial` in `splits`", id="unknown-split"
        ),
        pytest.param("kind: folder", "kind: folders", ":3:7: `kind` must be", id="unknown-kind"),
        pytest.param("ignored: 0", "ignored: 0\nhost: a", ":6:1: unknown key `host`", id="more"),
        pytest.param('digest: "', 'digest: "x', ":4:9: `digest` must be", id="not-a-digest"),
        pytest.param("splits:", "<<<<<<< HEAD\nsplits:", "merge-conflict marker", id="conflict"),
    ],
)
def test_a_damaged_lock_is_refused_where_it_is_damaged(
    tree: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = tmp_path / "x.lock.yaml"
    write_lock(path, scan(tree))
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(DdspecError) as raised:
        read_lock(path)

    assert message in str(raised.value)
    assert raised.value.exit is Exit.INVALID


def test_a_lock_lies_beside_its_spec() -> None:
    assert lock_path(Path("specs/x.yaml")) == Path("specs/x.lock.yaml")
