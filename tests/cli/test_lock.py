"""A lock records data, runners and image; what moved since is told apart from what changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_cli import SPEC, Shell
from fake_images import FakeImages, image_of, labels_of

from ddspec.engine import connect
from ddspec.engine.source import revisions, runners_digest
from ddspec.errors import Exit
from ddspec.plan.drift import FoundImage
from ddspec.spec.lock import LockedImage, read_lock

FOLDER = SPEC.replace("{kind: digits, validation: 0.2}", "{kind: folder, path: mine, size: 8}")
IMAGE = LockedImage(
    reference="team/runner:1", id=f"sha256:{'a' * 64}", digest=None, source="b" * 64
)


@pytest.fixture
def own(shell: Shell) -> str:
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            folder = shell.folder / "data" / "mine" / split / name
            folder.mkdir(parents=True)
            for number in range(4):
                (folder / f"{number}.png").write_bytes(f"{split}{name}{number}".encode())
    return shell.write("own.yaml", FOLDER)


@pytest.fixture
def image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddspec.cli.lock.locked_image", lambda reference: IMAGE)


def moved(path: Path) -> None:
    """Make a lock one that another installation wrote."""
    lock = read_lock(path)
    assert lock.runners is not None
    path.write_text(path.read_text().replace(lock.runners.source, "c" * 64))


def test_a_lock_holds_data_and_runners(shell: Shell, own: str) -> None:
    ended = shell("lock", own, "--data", "data")

    lock = read_lock(shell.folder / "own.lock.yaml")
    assert lock.runners is not None
    assert lock.runners.image is None
    assert lock.runners.revisions["distill"] >= 1
    assert ended.out.endswith(
        f"16 images, {lock.digest[:12]}, runners {lock.runners.source[:12]}\n"
    )


def test_a_published_dataset_can_be_locked_with_its_runners(shell: Shell) -> None:
    ended = shell("lock", "small.yaml")

    assert ended.code == 0
    assert "digits by published checksums" in ended.out
    assert shell("plan", "small.yaml", "-o", "small.plan.yaml").code == 0
    assert shell("plan", "small.yaml", "--check", "small.plan.yaml").code == 0


@pytest.mark.usefixtures("image")
def test_an_image_of_one_host_is_marked(shell: Shell) -> None:
    ended = shell("lock", "small.yaml", "--image", "team/runner:1")

    text = (shell.folder / "small.lock.yaml").read_text()
    assert "image team/runner:1 (this host only)" in ended.out
    assert "digest: null  # this host only: it was never pushed" in text


@pytest.mark.usefixtures("image")
def test_locking_again_keeps_the_image(shell: Shell) -> None:
    shell("lock", "small.yaml", "--image", "team/runner:1")

    shell("lock", "small.yaml")

    lock = read_lock(shell.folder / "small.lock.yaml")
    assert lock.runners is not None
    assert lock.runners.image == IMAGE


def test_a_lock_of_before_is_still_read(shell: Shell, own: str) -> None:
    shell("lock", own, "--data", "data")
    path = shell.folder / "own.lock.yaml"
    lines = path.read_text().splitlines()
    start = lines.index("runners:")

    path.write_text("\n".join([*lines[:start], *lines[start + 3 :], ""]))

    assert read_lock(path).runners is None
    assert shell("plan", own, "-o", "own.plan.yaml").code == 0


def test_other_runners_are_told_apart_from_changes(shell: Shell) -> None:
    shell("lock", "small.yaml")
    shell("plan", "small.yaml", "-o", "small.plan.yaml")
    moved(shell.folder / "small.lock.yaml")

    shown = shell("plan", "small.yaml")
    checked = shell("plan", "small.yaml", "--check", "small.plan.yaml")
    as_json = shell("plan", "small.plan.yaml", "--json").json["drift"]

    assert "drift runners: locked with source cccccccccccc" in " ".join(shown.out.split())
    assert checked.code == 0
    assert "drift, no change of the plan: runners: locked with source cccccccccccc" in checked.err
    assert [one["part"] for one in as_json] == ["runners"]


def test_a_run_says_what_moved_and_goes_on(shell: Shell) -> None:
    shell("lock", "small.yaml")
    moved(shell.folder / "small.lock.yaml")

    ended = shell("run", "small.yaml")

    assert ended.code == 0
    assert "drift, no change of the plan: runners:" in ended.err


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeImages:
    """An engine with one image of this source, which it alone knows."""
    made = FakeImages({"team/runner:1": image_of(labels_of(runners_digest(), revisions()))})
    monkeypatch.setattr(connect, "connect", lambda *_: made.engine())
    return made


def test_an_image_is_locked_as_the_engine_has_it(shell: Shell, engine: FakeImages) -> None:
    shell("lock", "small.yaml", "--image", "team/runner:1")

    lock = read_lock(shell.folder / "small.lock.yaml")
    assert lock.runners is not None
    assert lock.runners.image == LockedImage(
        reference="team/runner:1", id=f"sha256:{'1' * 64}", digest=None, source=runners_digest()
    )
    assert shell("lock", "small.yaml", "--check").out.endswith("nothing moved\n")

    engine.images["team/runner:1"] |= {"Id": f"sha256:{'2' * 64}"}

    assert shell("lock", "small.yaml", "--check").out == (
        "image: the lock says `team/runner:1` is sha256:111111111111, "
        "here `team/runner:1` is sha256:222222222222\n"
    )


def test_an_image_that_is_not_there_is_not_locked(shell: Shell, engine: FakeImages) -> None:
    ended = shell("lock", "small.yaml", "--image", "team/runner:2")

    assert ended.code == Exit.UNABLE
    assert not (shell.folder / "small.lock.yaml").exists()


def test_a_check_names_what_moved(shell: Shell, own: str) -> None:
    shell("lock", own, "--data", "data")
    before = shell("lock", own, "--data", "data", "--check")
    (shell.folder / "data" / "mine" / "train" / "cat" / "0.png").write_bytes(b"another")

    after = shell("lock", own, "--data", "data", "--check")

    assert (before.code, before.out) == (0, f"{shell.folder}/own.lock.yaml: nothing moved\n")
    assert (after.code, after.out) == (
        Exit.CHANGED,
        "data: train/cat: 4 images, some of them others\n",
    )


def test_a_check_asks_for_the_locked_image(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ddspec.cli.lock.locked_image", lambda reference: IMAGE)
    shell("lock", "small.yaml", "--image", "team/runner:1")
    other = FoundImage("team/runner:1", f"sha256:{'d' * 64}", None)
    monkeypatch.setattr("ddspec.cli.lock.found_image", lambda reference: other)

    ended = shell("lock", "small.yaml", "--check")

    assert ended.code == Exit.CHANGED
    assert "the lock says `team/runner:1` is sha256:aaaaaaaaaaaa, here" in ended.out


def test_there_must_be_a_lock_to_check(shell: Shell) -> None:
    ended = shell("lock", "small.yaml", "--check")

    assert ended.code == Exit.UNABLE
    assert "has no lock" in ended.err


def test_a_lock_of_another_dataset_is_none_of_this_one(shell: Shell, own: str) -> None:
    shell("lock", "small.yaml")
    (shell.folder / "small.lock.yaml").rename(shell.folder / "own.lock.yaml")

    ended = shell("plan", own)

    assert ended.code == 0
    assert "after lock" in ended.out


@pytest.mark.usefixtures("image")
def test_a_policy_judges_the_locked_image(shell: Shell) -> None:
    shell.write("ddspec-policy.yaml", "format: ddspec.policy/1\nrules:\n  - {kind: image}\n")
    shell("lock", "small.yaml", "--image", "team/runner:1")

    ended = shell("plan", "small.yaml")

    assert ended.code == Exit.REFUSED
    assert "image `team/runner:1` has no repository digest" in ended.err


def test_a_run_is_judged_by_the_image_that_it_would_use(shell: Shell, engine: FakeImages) -> None:
    shell.write("ddspec-policy.yaml", "format: ddspec.policy/1\nrules:\n  - {kind: image}\n")

    ended = shell("run", "small.yaml", "--executor", "docker", "--image", "team/runner:1")

    assert ended.code == Exit.REFUSED
    assert "has no repository digest" in ended.err
    assert not list(shell.home.glob("attempts/*"))
