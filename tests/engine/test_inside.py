"""What a container of the image says of itself, and what is made of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_images import FakeImages, image_of, labels_of

from ddspec.engine.images import IMAGE, RunnerImage, runner_image
from ddspec.engine.inside import Inside, look_inside
from ddspec.engine.source import revisions, runners_digest
from ddspec.errors import DdspecError, Exit

WELL = {
    "python": "3.12.12",
    "torch": "2.15.0+cu132",
    "cuda": "13.2",
    "devices": ["H100"],
    "source": runners_digest(),
    "uid": 7,
    "writable": ["/tmp"],
}


def holding(answer: tuple[int, str]) -> tuple[FakeImages, RunnerImage]:
    """Return an engine whose containers answer so, and its runner image."""
    labels = labels_of(runners_digest(), revisions())
    api = FakeImages({IMAGE: image_of(labels)}, answers={"torch": answer})
    return api, runner_image(api.engine(), IMAGE)


def test_an_image_that_works_says_what_is_in_it() -> None:
    api, image = holding((0, "a warning\n" + json.dumps(WELL) + "\n"))

    seen = look_inside(api.engine(), image, user="7:8")

    assert seen == Inside("7:8", "3.12.12", "2.15.0+cu132", "13.2", ("H100",))
    assert api.removed == ["0"]


def test_the_container_that_looks_is_walled_in() -> None:
    api, image = holding((0, json.dumps(WELL)))

    look_inside(api.engine(), image, user="7:8", devices=[{"Driver": "nvidia"}])

    body = api.containers[0]
    host = body["HostConfig"]
    assert body["User"] == "7:8"
    assert body["Image"] == image.id
    assert host["ReadonlyRootfs"]
    assert host["NetworkMode"] == "none"
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges"]
    assert host["Memory"] == host["MemorySwap"]
    assert host["DeviceRequests"] == [{"Driver": "nvidia"}]
    assert "Binds" not in host


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((1, "Traceback\nImportError: libcudart\n"), "exits with 1 as user 7:8: ImportError"),
        ((137, ""), "exits with 137 as user 7:8"),
        ((0, "hello\n"), "it answers `hello`"),
        ((0, json.dumps(WELL | {"source": "ab" * 32})), "tells of source .* abababababab is"),
        ((0, json.dumps(WELL | {"writable": ["", "/tmp"]})), "user 7:8 can write to /, /tmp"),
        ((0, json.dumps(WELL | {"writable": []})), "user 7:8 can write to nothing"),
    ],
    ids=["an import", "killed", "another program", "another source", "the root", "no tmp"],
)
def test_an_image_that_does_not_work_says_how(answer: tuple[int, str], said: str) -> None:
    api, image = holding(answer)

    with pytest.raises(DdspecError, match=said) as caught:
        look_inside(api.engine(), image, user="7:8")

    assert caught.value.exit == Exit.UNABLE
    assert api.removed == ["0"]


def test_a_container_is_removed_also_where_waiting_for_it_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api, image = holding((0, ""))

    def wait(*_: Any, **__: Any) -> None:
        raise TimeoutError

    monkeypatch.setattr(api, "wait", wait)

    with pytest.raises(DdspecError, match="does not answer"):
        look_inside(api.engine(), image, user="7:8")

    assert api.removed == ["0"]
