"""Locks of datasets with published classes, and what needs none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from fake_cli import SPEC, Shell

from ddspec.errors import Exit
from ddspec.spec.facts import FACTS
from ddspec.spec.lock import read_lock

CLASSES = FACTS["tiny_imagenet"].class_names


def of(kind: str, **settings: object) -> str:
    more = "".join(f", {name}: {value}" for name, value in settings.items())
    return SPEC.replace("{kind: digits, validation: 0.2}", f"{{kind: {kind}{more}}}")


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def tiny(shell: Shell) -> Path:
    """Tiny-ImageNet as it unpacks, with one image of each class in a split."""
    root = shell.folder / "data" / "tiny-imagenet-200"
    write(root, {f"train/{name}/images/{name}_0.JPEG": name for name in CLASSES})
    write(root, {f"val/images/val_{i}.JPEG": str(i) for i in range(len(CLASSES))})
    rows = "".join(f"val_{i}.JPEG\t{name}\t0\t0\t9\t9\n" for i, name in enumerate(CLASSES))
    write(root, {"val/val_annotations.txt": rows, "wnids.txt": "\n".join(CLASSES)})
    return root


def test_tiny_imagenet_is_locked_as_it_unpacks(shell: Shell, tiny: Path) -> None:
    spec = shell.write("tiny.yaml", of("tiny_imagenet"))

    locked = shell("lock", spec, "--data", "data")

    lock = read_lock(shell.folder / "tiny.lock.yaml")
    assert locked.code == Exit.DONE
    assert "400 images" in locked.out
    assert lock.kind == "tiny_imagenet"
    assert lock.images("test") == dict.fromkeys(sorted(CLASSES), 1)


def test_a_line_of_annotations_that_is_wrong_is_shown(shell: Shell, tiny: Path) -> None:
    spec = shell.write("tiny.yaml", of("tiny_imagenet"))
    path = tiny / "val" / "val_annotations.txt"
    path.write_text(path.read_text().replace(f"val_2.JPEG\t{CLASSES[2]}", "val_2.JPEG\tn00000000"))

    ended = shell("lock", spec, "--data", "data")

    assert ended.code == Exit.UNABLE
    assert "val_annotations.txt:3:1: `n00000000` is no class of Tiny-ImageNet" in ended.err
    assert not (shell.folder / "tiny.lock.yaml").exists()


def test_svhn_needs_no_lock(shell: Shell) -> None:
    spec = shell.write("svhn.yaml", of("svhn"))

    planned, locked = shell("plan", spec), shell("lock", spec)

    assert planned.code == Exit.DONE
    assert "svhn by published checksums" in locked.out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("tiny_imagenet", "then `ddspec lock SPEC` says what it holds", id="folders"),
        pytest.param("digits", "needs no download", id="digits"),
        pytest.param("cifar", "one of cifar10, cifar100, fashion_mnist, mnist, svhn", id="unknown"),
    ],
)
def test_what_cannot_be_fetched_is_said(shell: Shell, name: str, said: str) -> None:
    ended = shell("data", "fetch", name, "--data", "data")

    assert ended.code == Exit.USAGE
    assert said in ended.err
