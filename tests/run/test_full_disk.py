"""A run on a full disk says so, leaves nothing half done, and goes on when there is room."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_plans import chain
from fake_scene import Scene

from ddspec.errors import DdspecError, Exit
from ddspec.store.store import open_store


def no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("ddspec.store.claims.create_whole", id="claiming"),
        pytest.param("ddspec.executors.local.write_whole", id="laying a job out"),
        pytest.param("ddspec.store.claims.write_whole", id="writing the handle down"),
        pytest.param("ddspec.store.objects.write_whole", id="publishing"),
        pytest.param("ddspec.store.journal.write_whole", id="writing the journal"),
    ],
)
def test_a_disk_that_fills_up_stops_the_run_and_no_more(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(place, no_space)

    with pytest.raises(DdspecError, match="disk full") as caught:
        scene.run(chain())
    monkeypatch.undo()
    outcome = _as_another_process(scene, monkeypatch).run(chain())

    assert caught.value.exit == Exit.UNABLE
    assert {stage.state for stage in outcome.stages} <= {"done", "in store"}
    assert scene.starts() == ["first", "second", "third"]
    assert list(scene.store.claims.keys()) == []


def test_a_job_that_had_no_room_stops_the_run_though_its_leftovers_made_some(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.behave(second={"exits": [74]})

    with pytest.raises(DdspecError, match="disk full") as caught:
        scene.run(chain())
    outcome = _as_another_process(scene, monkeypatch).run(chain())

    assert caught.value.exit == Exit.UNABLE
    assert {stage.state for stage in outcome.stages} <= {"done", "in store"}
    assert scene.starts() == ["first", "second", "second", "third"]


def test_a_file_system_that_a_job_fills_up_is_survived(tmp_path: Path) -> None:
    with small_file_system(tmp_path / "tiny") as tiny:
        (tmp_path / "log").touch()
        scene = Scene(tmp_path, open_store(tiny / "home"))
        scene.behave(second={"fill": True})

        with pytest.raises(DdspecError, match="disk full") as caught:
            scene.run(chain())
        claims = list(scene.store.claims.keys())
        (scene.store.layout.scratch / (chain()[1].key or "") / "filler").unlink()
        scene.behave()
        outcome = scene.run(chain())

        assert caught.value.exit == Exit.UNABLE
        assert claims == []
        assert [stage.state for stage in outcome.stages] == ["in store", "done", "done"]


@contextmanager
def small_file_system(place: Path) -> Iterator[Path]:
    """Mount 2 MiB, where that is allowed."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("mounting a small file system needs root and the right to mount")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _as_another_process(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Let the claims of the run that failed look like those of a process that is gone."""
    for path in (scene.store.layout.claims).iterdir():
        path.write_text(path.read_text().replace('"birth":"', '"birth":"0'))
    return scene


def test_a_job_that_vanishes_on_a_full_disk_is_not_tried_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.behave(first={"exits": [-9]})

    def full(_: Path) -> int:
        return 0

    monkeypatch.setattr("ddspec.run.collect.free_bytes", full)

    with pytest.raises(DdspecError, match="disk full") as caught:
        scene.run(chain())
    assert caught.value.exit == Exit.UNABLE
    assert scene.starts() == ["first"]


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.ESTALE])
def test_a_disk_that_fails_ends_the_run_and_the_next_one_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as broken:
        broken.setattr("ddspec.store.objects.write_whole", fails)
        with pytest.raises(DdspecError, match=f"failed: {os.strerror(number).lower()}") as caught:
            scene.run(chain())
    outcome = scene.run(chain())

    assert caught.value.exit is Exit.UNABLE
    assert outcome.exit is Exit.DONE
    assert scene.starts() == ["first", "second", "third"]
