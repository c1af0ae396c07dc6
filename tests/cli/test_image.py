"""`ddspec image`, as a shell sees it, with an engine that only pretends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_cli import Shell
from fake_images import FakeImages, image_of, labels_of

from ddspec.engine import connect, gpus
from ddspec.engine.images import IMAGE
from ddspec.engine.source import revisions, runners_digest

WELL = {
    "python": "3.12.12",
    "torch": "2.15.0+cu132",
    "cuda": "13.2",
    "devices": [],
    "source": runners_digest(),
    "writable": ["/tmp"],
}
"""What a container of a good image prints of itself."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeImages:
    """An engine with an image of this source, and a base."""
    made = FakeImages(
        {
            IMAGE: image_of(labels_of(runners_digest(), revisions())),
            "base:1": image_of({}),
        },
        answers={"ddspec_runners": (0, json.dumps(WELL))},
    )
    monkeypatch.setattr(connect, "connect", lambda *_: made.engine())
    monkeypatch.setattr(gpus, "host_gpus", lambda: ())
    monkeypatch.delenv("DDSPEC_IMAGE", raising=False)
    return made


def test_build_says_which_image_it_made_on_stdout_and_the_rest_on_stderr(
    shell: Shell, api: FakeImages
) -> None:
    api.said = [{"stream": "Collecting torch\n"}]

    done = shell("image", "build", "--base", "base:1", "--tag", "mine:2", "--no-cache")

    assert done.code == 0
    assert done.out == f"mine:2  sha256:{'1' * 64}\n"
    assert done.err.startswith("Collecting torch\nSuccessfully tagged mine:2\n6.00 GB, built in ")
    assert api.asked["tag"] == "mine:2"
    assert api.asked["nocache"]
    assert api.asked["network_mode"] is None


def test_a_build_from_wheels_has_no_network(shell: Shell, api: FakeImages, tmp_path: Path) -> None:
    (tmp_path / "a.whl").write_text("")

    done = shell("image", "build", "--base", "base:1", "--wheels", str(tmp_path))

    assert done.code == 0
    assert api.asked["network_mode"] == "none"
    assert "wheels/a.whl" in api.context


def test_a_context_is_written_without_an_engine(shell: Shell, tmp_path: Path) -> None:
    done = shell("image", "build", "--context", str(tmp_path / "context.tar"))

    assert done.code == 0
    assert (tmp_path / "context.tar").stat().st_size > 100_000


def test_check_describes_the_image(shell: Shell, api: FakeImages) -> None:
    done = shell("image", "check")

    assert done.code == 0
    assert done.out.split("\n")[:4] == [
        f"image      {IMAGE}",
        f"pinned     sha256:{'1' * 64} (this host only)",
        f"ddspec     0.1.0, source {runners_digest()[:12]}",
        "revisions  checkpoint 1, distill 1, evaluate 1, import 1, merge 1, prepare 1, pretrain 1, "
        "prune 1, relabel 1, round 1, select 1",
    ]
    assert "works as   65532:65532 and 12345:23456" in done.out


def test_check_as_json_is_one_object(shell: Shell, api: FakeImages) -> None:
    done = shell("image", "check", "--json")

    found = done.json
    assert done.code == 0
    assert found["format"] == "ddspec.image/1"
    assert found["source"] == runners_digest()
    assert found["revisions"] == revisions()
    assert [each["user"] for each in found["inside"]] == ["65532:65532", "12345:23456"]
    assert found["problems"] == []


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_check_exits_4_where_the_runners_differ(
    options: list[str], shell: Shell, api: FakeImages
) -> None:
    other = "ab" * 32
    api.images["old:1"] = image_of(labels_of(other, revisions()))
    api.answers = {"ddspec_runners": (0, json.dumps(WELL | {"source": other}))}

    done = shell("image", "check", "old:1", *options)

    assert done.code == 4
    assert "`old:1` has other runners inside (source abababababab" in done.err


def test_check_exits_6_where_there_is_no_image(
    shell: Shell, api: FakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DDSPEC_IMAGE", "lab/runner:7")

    done = shell("image", "check")

    assert done.code == 6
    assert "the engine has no image `lab/runner:7`" in done.err
