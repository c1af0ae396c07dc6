from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.plan.codec import check_plan, preset_notes, read_plan, write_plan
from ddspec.plan.compile import compile_plan
from ddspec.plan.ir import Plan
from ddspec.plan.text import dump_plan
from ddspec.presets.protocols import PROTOCOLS
from ddspec.spec.load import load_spec
from ddspec.spec.lock import Lock, digest_of_splits
from ddspec.spec.lock_text import write_lock

SPECS = Path(__file__).parents[2] / "specs"

FOLDER_SPEC = """\
name: mine
dataset: {kind: folder, path: photos, size: 32}
budget: {images_per_class: 1}
network: {kind: convnet}
pool: {kind: recorded}
inner: {kind: frozen}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 0.1}
loops: {outer_loops: 3, inner_steps: 2}
evaluate: {protocol: dsa}
"""


@pytest.fixture
def digits(tmp_path: Path) -> tuple[Path, Path]:
    """A copy of the digits spec, and a plan file beside it."""
    spec, plan = tmp_path / "digits.yaml", tmp_path / "plans" / "digits.plan.yaml"
    shutil.copy(SPECS / "digits.yaml", spec)
    plan.parent.mkdir()
    write_plan(compile_plan(load_spec(spec).experiment), plan, spec=spec)
    return spec, plan


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_fresh_plan_is_read_and_current(digits: tuple[Path, Path]) -> None:
    spec, path = digits

    check_plan(path)
    check_plan(path, spec)
    assert read_plan(path) == compile_plan(load_spec(spec).experiment)


def test_a_plan_runs_without_its_spec(digits: tuple[Path, Path]) -> None:
    spec, path = digits
    before = read_plan(path)
    spec.unlink()

    assert read_plan(path) == before
    check_plan(path)


def test_a_comment_in_the_spec_changes_nothing(digits: tuple[Path, Path]) -> None:
    spec, path = digits
    edit(spec, "name: digits\n", "# a remark\nname: digits\n")

    check_plan(path)
    read_plan(path)


def test_a_spec_that_moved_is_refused_and_the_settings_named(digits: tuple[Path, Path]) -> None:
    spec, path = digits
    edit(spec, "outer_loops: 40", "outer_loops: 20")

    for refusing in (read_plan, check_plan):
        with pytest.raises(DdspecError, match=r"spec: .*`loops.outer_loops`") as caught:
            refusing(path)
        assert caught.value.exit is Exit.CHANGED


def test_a_new_name_makes_a_plan_stale_but_not_wrong(digits: tuple[Path, Path]) -> None:
    spec, path = digits
    edit(spec, "name: digits\n", "name: numbers\n")

    read_plan(path)
    with pytest.raises(DdspecError, match="spec: `name` changed, which no stage") as caught:
        check_plan(path)
    assert caught.value.exit is Exit.CHANGED


def test_another_compiler_is_named(
    digits: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = digits
    monkeypatch.setattr("ddspec.plan.lower.TRAIN", {"train": "prepare/test"})

    with pytest.raises(DdspecError, match="compiler: this version makes"):
        check_plan(path)


def test_another_way_of_writing_is_named(
    digits: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, path = digits
    monkeypatch.setattr("ddspec.plan.blocks.WIDTH", 60)

    with pytest.raises(DdspecError, match="format: the same plan is written differently"):
        check_plan(path)


def test_a_preset_that_moved_is_reported_but_not_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec, path = SPECS / "cifar10.yaml", tmp_path / "x.plan.yaml"
    plan = compile_plan(load_spec(spec).experiment)
    write_plan(plan, path, spec=spec)
    other = PROTOCOLS["idc"]().model_copy(update={"batch": 32})
    monkeypatch.setitem(PROTOCOLS, "idc", lambda: other)  # type: ignore[arg-type]

    assert read_plan(path) == plan
    assert "`idc`" in str(preset_notes(plan, path)[0])
    with pytest.raises(DdspecError, match="preset: protocol `idc`"):
        check_plan(path)


def test_other_images_are_refused(tmp_path: Path, imagenet_lock: Lock) -> None:
    spec, path, lock = (tmp_path / f"mine{end}" for end in (".yaml", ".plan.yaml", ".lock.yaml"))
    spec.write_text(FOLDER_SPEC, encoding="utf-8")
    locked = imagenet_lock.model_copy(update={"kind": "folder"})
    write_lock(lock, locked)
    write_plan(compile_plan(load_spec(spec).experiment, locked), path, spec=spec)
    check_plan(path)
    splits = {name: dict(classes) for name, classes in imagenet_lock.splits.items()}
    del splits["train"]["n02869837"]
    other = Lock(kind="folder", splits=splits, digest=digest_of_splits(splits))  # type: ignore[arg-type]
    write_lock(lock, other)

    for refusing in (read_plan, check_plan):
        with pytest.raises(DdspecError, match="data: `mine") as caught:
            refusing(path)
        assert caught.value.exit is Exit.CHANGED


def test_writing_again_gives_the_same_bytes(digits: tuple[Path, Path]) -> None:
    spec, path = digits
    before = path.read_bytes()
    write_plan(read_plan(path), path, spec=spec)

    assert path.read_bytes() == before


@pytest.mark.parametrize("kind", ["missing", "directory", "not UTF-8", "link into nothing"])
def test_what_cannot_be_read_is_said(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.plan.yaml"
    if kind == "directory":
        path.mkdir()
    elif kind == "not UTF-8":
        path.write_bytes(b"format: \xff")
    elif kind == "link into nothing":
        path.symlink_to(tmp_path / "nothing")

    with pytest.raises(DdspecError) as caught:
        read_plan(path)

    assert caught.value.exit is Exit.INVALID


def test_a_plan_that_points_outside_reads_nothing_there(
    digits: tuple[Path, Path], planned: Callable[..., Plan]
) -> None:
    _, path = digits
    path.write_text(dump_plan(planned(), made_from="/etc/passwd"), encoding="utf-8")

    assert read_plan(path) == planned()
