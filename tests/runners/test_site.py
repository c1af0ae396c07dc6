"""Checkpoints: whole or not at all, bound to their engine, written before a requested stop."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from ddspec_runners.site import CHECKPOINT, Site, StopRequested

STATE = {"images": torch.arange(6.0).reshape(2, 3)}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(key="k", inputs={}, output=tmp_path / "out", scratch=tmp_path)


def test_a_checkpoint_comes_back_as_it_was_saved(site: Site) -> None:
    site.advance(3, 10, "outer loops", state=lambda: STATE)

    done, state = site.resume(STATE) or (0, {})

    assert done == 3
    assert state["images"].equal(STATE["images"])


def test_nothing_is_resumed_where_nothing_was_saved(site: Site) -> None:
    assert site.resume(STATE) is None


def test_the_last_unit_writes_no_checkpoint(site: Site) -> None:
    site.advance(10, 10, "outer loops", state=lambda: STATE)

    assert not (site.scratch / CHECKPOINT).exists()


def test_checkpoints_keep_their_distance_in_time(site: Site) -> None:
    site.advance(1, 10, "steps", state=lambda: STATE, every_s=3600)

    assert site.resume(STATE) is None


def test_a_requested_stop_saves_first_whatever_the_distance(site: Site) -> None:
    site.stopping = lambda: True

    with pytest.raises(StopRequested):
        site.advance(1, 10, "steps", state=lambda: STATE, every_s=3600)

    assert site.resume(STATE) is not None


def test_a_truncated_checkpoint_is_set_aside(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.advance(1, 10, "steps", state=lambda: STATE)
    path = site.scratch / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-5])

    assert site.resume(STATE) is None
    assert (site.scratch / "checkpoint.damaged").exists()
    assert "set aside" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not tensors at all", id="another kind of file"),
        pytest.param(save(STATE), id="tensors without a header"),
        pytest.param(save(STATE, {"ddspec": "{}"}), id="an incomplete header"),
        pytest.param(save(STATE, {"ddspec": "["}), id="a header that is no JSON"),
    ],
)
def test_what_is_no_checkpoint_is_set_aside(site: Site, content: bytes) -> None:
    (site.scratch / CHECKPOINT).write_bytes(content)

    assert site.resume(STATE) is None
    assert (site.scratch / "checkpoint.damaged").read_bytes() == content


def test_a_checkpoint_that_lacks_what_is_needed_is_set_aside(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.advance(1, 10, "steps", state=lambda: STATE)

    assert site.resume([*STATE, "momentum"]) is None
    assert (site.scratch / "checkpoint.damaged").exists()
    assert "it holds no `momentum`" in capsys.readouterr().err


def test_a_checkpoint_of_another_thread_count_is_not_continued(site: Site) -> None:
    site.advance(1, 10, "steps", state=lambda: STATE)

    assert replace(site, threads=2).resume(STATE) is None


def test_working_time_adds_up_over_attempts(site: Site) -> None:
    site.seconds_before = 100.0
    site.advance(1, 10, "steps", state=lambda: STATE)
    again = replace(site, seconds_before=0.0)

    again.resume(STATE)

    assert again.seconds >= 100


def test_a_disk_without_room_for_a_checkpoint_is_an_error_with_its_number(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, content: bytes) -> None:
        path.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", refuse)

    with pytest.raises(OSError, match="No space left") as caught:
        site.advance(1, 10, "steps", state=lambda: STATE)

    assert caught.value.errno == errno.ENOSPC
    assert list(site.scratch.iterdir()) == []
