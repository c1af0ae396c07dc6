"""The context of the image's build, the lock in it, and a build as the engine tells of it."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
from fake_images import FakeImages, image_of

from ddspec.engine.build import build_image
from ddspec.engine.context import Recipe, base_of, context, locked_versions
from ddspec.engine.source import revisions, runners_digest
from ddspec.engine.wheel import wheel
from ddspec.errors import DdspecError, Exit

ROOT = Path(__file__).parents[2]
BASE = "base:1"
REVISED = (
    '{"checkpoint":1,"distill":1,"evaluate":1,"import":1,"merge":1,"prepare":1,"pretrain":1,'
    '"prune":1,"relabel":1,"round":1,"select":1}'
)


def context_of(recipe: Recipe) -> tuple[bytes, dict[str, tarfile.TarInfo], dict[str, bytes]]:
    """Return the archive, its headers and its files."""
    packed = b"".join(context(recipe))
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        entries = {entry.name: entry for entry in archive}
        files = {
            name: file.read()
            for name, entry in entries.items()
            if (file := archive.extractfile(entry)) is not None
        }
    return packed, entries, files


def built(api: FakeImages, recipe: Recipe, environ: dict[str, str] | None = None) -> list[str]:
    """Build an image on a fake engine and return what was told."""
    told: list[str] = []
    build_image(api.engine(), recipe, "r:1", say=told.append, environ=environ or {})
    return told


# -- the context


def test_the_context_holds_the_recipe_the_wheel_and_every_folder() -> None:
    _, entries, files = context_of(Recipe())

    assert sorted(files) == [
        "Dockerfile",
        "packages/ddspec-0.1.0-py3-none-any.whl",
        "recipe/opt/ddspec/recipe/furnish.py",
        "recipe/opt/ddspec/recipe/requirements.txt",
    ]
    assert files["packages/ddspec-0.1.0-py3-none-any.whl"] == wheel()
    assert {name for name, entry in entries.items() if entry.isdir()} == {
        "packages",
        "recipe",
        "recipe/opt",
        "recipe/opt/ddspec",
        "recipe/opt/ddspec/recipe",
        "settings",
        "wheels",
    }


def test_the_context_has_no_clock_and_no_owner() -> None:
    packed, entries, _ = context_of(Recipe(base=BASE))

    assert packed == context_of(Recipe(base=BASE))[0]
    assert {(e.mtime, e.uid, e.gid, e.uname) for e in entries.values()} == {(0, 0, 0, "")}


def test_the_dockerfile_of_the_context_needs_no_arguments() -> None:
    _, _, files = context_of(Recipe(base=BASE, python="3.12.12"))

    text = files["Dockerfile"].decode()
    values = dict(re.findall(r"^ARG (\w+)='(.*)'$", text, re.M))
    assert values == {
        "BASE_IMAGE": BASE,
        "VERSION": "0.1.0",
        "SOURCE": runners_digest(),
        "REVISIONS": REVISED,
        "PYTHON": "3.12.12",
        "TORCH": locked_versions()["torch"],
        "CUDA": ".".join(locked_versions()["nvidia-cuda-runtime"].split(".")[:2]),
    }
    # that of the last stage takes its value from the first line
    assert re.findall(r"^ARG (\w+)$", text, re.M) == ["BASE_IMAGE"]


def test_settings_and_wheels_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    for name in ("b.whl", "a.whl", "notes.txt", "ca.crt", "pip.ini"):
        (tmp_path / name).write_text(name)

    recipe = Recipe(
        base=BASE, wheels=tmp_path, pip_config=tmp_path / "pip.ini", ca=tmp_path / "ca.crt"
    )
    _, _, files = context_of(recipe)

    assert [name for name in files if name.startswith("wheels/")] == [
        "wheels/a.whl",
        "wheels/b.whl",
    ]
    assert files["settings/pip.conf"] == b"pip.ini"
    assert files["settings/ca.pem"] == b"ca.crt"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"wheels": "."}, "no wheels in"),
        ({"wheels": "nowhere"}, "no wheels in"),
        ({"pip_config": "nowhere"}, "is no file"),
        ({"ca": "."}, "is no file"),
        ({"base": "x' && rm -rf /"}, "cannot be the name of an image"),
        ({"base": "x\nRUN evil"}, "cannot be the name of an image"),
    ],
    ids=["no wheels", "no folder", "no pip.conf", "a folder", "a shell", "a line"],
)
def test_a_recipe_that_makes_no_sense_is_a_mistake_of_the_command(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    paths = {k: tmp_path / v if k != "base" else v for k, v in changes.items()}

    with pytest.raises(DdspecError, match=said) as caught:
        context_of(Recipe(**paths))

    assert caught.value.exit == Exit.USAGE


def test_the_base_is_pinned_by_digest() -> None:
    assert re.fullmatch(r"python:3\.12[.\d]*-slim-bookworm@sha256:[0-9a-f]{64}", base_of(Recipe()))


# -- the lock


def requirements(text: str) -> dict[str, tuple[int, ...]]:
    """Return package to the least version that a list of requirements asks for."""
    found = re.findall(r"^[\s\"]*([a-zA-Z.-]+)>=([\d.]+)", text, re.M)
    return {name.lower().replace(".", "-"): tuple(map(int, v.split("."))) for name, v in found}


def test_the_lock_meets_the_lower_bounds_of_the_project() -> None:
    asked = requirements((ROOT / "pyproject.toml").read_text())
    wanted = requirements((ROOT / "docker" / "requirements.in").read_text())

    locked = re.findall(r"^([a-z0-9-]+)==([\d.]+)", lock(), re.M)

    assert wanted.items() <= asked.items()
    assert wanted.keys() <= {name for name, _ in locked}
    assert [
        (name, version)
        for name, version in locked
        if tuple(map(int, version.split("."))) < wanted.get(name, ())
    ] == []


def test_the_runners_extra_is_in_the_lock() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    extra = re.search(r"^runners = \[(.*?)\]", text, re.M | re.S)

    assert extra is not None
    assert requirements(extra[1]).keys() <= locked_versions().keys()


def test_every_locked_package_has_hashes_and_no_address() -> None:
    packages = re.split(r"^(?=[a-z])", lock(), flags=re.M)[1:]

    assert [each for each in packages if "--hash=sha256:" not in each] == []
    assert "://" not in lock()
    assert [line for line in lock().split("\n") if line.startswith("-")] == []


def lock() -> str:
    return (ROOT / "docker" / "requirements.txt").read_text()


# -- the build


def test_an_image_is_built_and_every_line_of_it_told() -> None:
    api = FakeImages(
        {BASE: image_of({})},
        said=[
            {"stream": "Step 1/2 : FROM base\n"},
            {"stream": "\n"},
            {"status": "Downloading", "progressDetail": {"current": 1}, "id": "abc"},
            {"stream": "\x1b[91mCollecting torch\n\x1b[0m"},
            {"stream": "Collecting numpy\n"},
        ],
    )

    told = built(api, Recipe(base=BASE))

    assert told == [
        "Step 1/2 : FROM base",
        "Collecting torch",
        "Collecting numpy",
        "Successfully tagged r:1",
    ]
    assert api.images["r:1"]["Config"]["Labels"] == {
        "org.ddspec.source": runners_digest(),
        "org.ddspec.revisions": REVISED,
        "org.ddspec.version": "0.1.0",
        "org.ddspec.python": "3.12.12",
        "org.ddspec.torch": locked_versions()["torch"],
        "org.ddspec.cuda": "13.2",
    }
    assert revisions() == json.loads(REVISED)


def test_a_build_waits_as_long_as_it_takes_and_leaves_no_container() -> None:
    api = FakeImages({BASE: image_of({})})

    built(api, Recipe(base=BASE))

    assert api.asked["timeout"] is None
    assert api.asked["rm"]
    assert api.asked["forcerm"]
    assert api.removed == ["0"]


def test_proxies_go_to_the_build_as_arguments_that_builders_forget() -> None:
    api = FakeImages({BASE: image_of({})})

    built(api, Recipe(base=BASE), {"HTTPS_PROXY": "http://u:p@proxy", "HOME": "/h", "no_proxy": ""})

    assert api.asked["buildargs"] == {"HTTPS_PROXY": "http://u:p@proxy"}
    assert api.asked["use_config_proxy"] is False
    assert not [name for name, content in api.context.items() if b"u:p@proxy" in content]


def test_a_failed_build_says_what_the_last_lines_were() -> None:
    lines = [{"stream": f"line {n}\n"} for n in range(40)]
    api = FakeImages({BASE: image_of({})}, said=[*lines, {"error": "pip returned 1"}])

    with pytest.raises(DdspecError) as caught:
        built(api, Recipe(base=BASE))

    message = caught.value.diagnostics[0].message.split("\n")
    assert caught.value.exit == Exit.UNABLE
    assert message[0] == "the image could not be built: pip returned 1"
    assert message[1:] == [f"    line {n}" for n in range(25, 40)]


def test_an_older_image_is_not_taken_for_one_whose_build_broke_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api = FakeImages({BASE: image_of({}), "r:1": image_of({})})
    monkeypatch.setattr(api, "build", lambda **_: iter([{"stream": "Step 1/2 : FROM base\n"}]))

    with pytest.raises(DdspecError, match="ended the build before it was done") as caught:
        built(api, Recipe(base=BASE))

    assert caught.value.exit == Exit.UNABLE


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((1, "Python 3.9.2\n"), "nothing can be built on `base:1`: Python 3.9.2"),
        (
            (1, "Traceback\nModuleNotFoundError: No module named 'pip'\n"),
            "nothing can be built on `base:1`: ModuleNotFoundError: No module named 'pip'",
        ),
        (
            (127, ""),
            'nothing can be built on `base:1`: exec: "python3": executable file not found in $PATH',
        ),
    ],
    ids=["an old Python", "no pip", "no Python"],
)
def test_a_base_that_does_not_do_is_found_before_the_build(
    answer: tuple[int, str], said: str
) -> None:
    api = FakeImages({BASE: image_of({})}, answers={"python3": answer})

    with pytest.raises(DdspecError) as caught:
        built(api, Recipe(base=BASE))

    assert caught.value.diagnostics[0].message == said
    assert caught.value.exit == Exit.UNABLE
    assert api.context == {}
    assert api.removed == ["0"]


def test_a_base_that_is_not_there_is_pulled_by_one_name() -> None:
    api = FakeImages()

    told = built(api, Recipe(base="lab/python"))

    assert told == ["pulling lab/python", "Successfully tagged r:1"]
    assert api.asked["pull"] == "lab/python:latest"


@pytest.mark.parametrize(
    "pulls",
    [None, [{"status": "Pulling"}, {"error": "manifest unknown"}]],
    ids=["no registry", "no such image"],
)
def test_a_base_that_cannot_be_pulled_is_named(pulls: Any) -> None:
    with pytest.raises(DdspecError, match="the base image `base:1` is not on the engine") as caught:
        built(FakeImages(pulls=pulls), Recipe(base=BASE))

    assert caught.value.exit == Exit.UNABLE
    assert "--base IMAGE" in str(caught.value)


@pytest.mark.parametrize("tag", ["", "Upper:1", "a b", "r@sha256:1", "-x"])
def test_a_tag_that_no_image_can_have_is_a_mistake_of_the_command(tag: str) -> None:
    api = FakeImages({BASE: image_of({})})

    with pytest.raises(DdspecError, match="cannot be the name of an image") as caught:
        build_image(api.engine(), Recipe(base=BASE), tag, say=print, environ={})

    assert caught.value.exit == Exit.USAGE
    assert api.containers == []
