"""Small images, built for real: what is in them, what is not, and whether it is the same twice.

The lock is replaced by one of a package of ten lines, so that a build takes seconds and no network.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from docker.errors import NotFound
from fake_engine import BASE, engine_reason

from ddspec.engine import context
from ddspec.engine.build import build_image
from ddspec.engine.connect import Engine, connect
from ddspec.engine.context import Recipe
from ddspec.engine.images import RunnerImage, mismatches
from ddspec.engine.source import revisions
from ddspec.engine.trial import try_command
from ddspec.errors import DdspecError, Exit

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(bool(engine_reason()), reason=engine_reason() or "an engine answers"),
]

MODULE = '"""A package that a lock can name."""\n\nWORDS = frozenset({"a", "b", "c", "d", "e"})\n'
WHEEL = "tiny-1.0-py3-none-any.whl"
SECRET = "https://user:password@index.invalid/simple"


def tiny_wheel() -> bytes:
    """Return the wheel of a package of one module."""
    info = "tiny-1.0.dist-info"
    files = {
        "tiny/__init__.py": MODULE,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{name},sha256={_hash(text)}," for name, text in files.items()]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": "\n".join([*rows, ""])}.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return packed.getvalue()


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass
class Yard:
    """Builds images, and removes them."""

    engine: Engine
    wheels: Path
    folder: Path
    tags: list[str] = field(default_factory=list)
    base: str = ""

    def found(self) -> None:
        """Make a base of our own: a build without the cache hides what others built on theirs."""
        self.base = self._tag()
        recipe = f"FROM {BASE}\nLABEL org.ddspec.test={self.base}\n"
        said = list(
            self.engine.api.build(fileobj=io.BytesIO(recipe.encode()), tag=self.base, rm=True)
        )
        assert not any(b'"error"' in line for line in said), said

    def build(self, **changes: Any) -> RunnerImage:
        self._tag()
        asked = {"base": self.base, "wheels": self.wheels} | changes
        cached = asked.pop("cached", True)
        return build_image(
            self.engine,
            Recipe(**asked),
            self.tags[-1],
            say=print,
            environ={"HTTPS_PROXY": SECRET},
            network="none",
            cached=cached,
        )

    def _tag(self) -> str:
        self.tags.append(f"ddspec-test-{uuid4().hex[:12]}:1")
        return self.tags[-1]

    def layers(self, image: str) -> list[str]:
        found: list[str] = self.engine.api.inspect_image(image)["RootFS"]["Layers"]
        return found

    def names(self, image: RunnerImage) -> list[str]:
        """Return every path of the image that its base has not."""
        return sorted(set(self._exported(image.id)) - set(self._exported(BASE)))

    def run(self, image: RunnerImage, *command: str, user: str = "12345:12345") -> str:
        trial = try_command(self.engine, image.id, command, user=user)
        assert trial.exit == 0, trial.text
        return trial.text

    def _exported(self, image: str) -> list[str]:
        api = self.engine.api
        container = api.create_container(image, command=["true"])["Id"]
        try:
            packed = io.BytesIO(b"".join(api.export(container)))
        finally:
            api.remove_container(container)
        with tarfile.open(fileobj=packed) as archive:
            return archive.getnames()

    def remove(self) -> None:
        for tag in reversed(self.tags):
            with suppress(NotFound):  # what could not be built
                self.engine.api.remove_image(tag)


@pytest.fixture(scope="module")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    folder, found = tmp_path_factory.mktemp("yard"), context._recipe_file
    lock = folder / "requirements.txt"
    lock.write_text(f"tiny==1.0 --hash=sha256:{hashlib.sha256(tiny_wheel()).hexdigest()}\n")
    made = Yard(connect(os.environ), wheels_in(folder / "wheels", WHEEL, tiny_wheel()), folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            context, "_recipe_file", lambda name: lock if name == lock.name else found(name)
        )
        made.found()
        yield made
    made.remove()


@pytest.fixture(scope="module")
def image(yard: Yard) -> RunnerImage:
    """Return an image that was built with a secret, which none of its users may find."""
    settings = yard.folder / "pip.conf"
    settings.write_text(f"[global]\nextra-index-url = {SECRET}\n")
    return yard.build(pip_config=settings)


def wheels_in(folder: Path, name: str, content: bytes) -> Path:
    """Return a new folder with one wheel in it."""
    folder.mkdir()
    (folder / name).write_bytes(content)
    return folder


def test_an_image_has_both_packages_and_the_locked_one_and_no_pip(
    yard: Yard, image: RunnerImage
) -> None:
    code = (
        "import tiny, ddspec.canon, ddspec_runners, sys, os, importlib.util as u;"
        "print(tiny.__cached__, ddspec_runners.__file__, u.find_spec('pip'), os.getuid())"
    )
    cached, file, pip, uid = yard.run(image, "/opt/ddspec/bin/python", "-P", "-c", code).split()
    assert mismatches(image) == []
    assert cached.startswith("/opt/ddspec/lib/python3.")
    assert file.startswith("/opt/ddspec/lib/python3.")
    assert (pip, uid) == ("None", "12345")


def test_bytecode_is_valid_whatever_the_time_of_its_source(yard: Yard, image: RunnerImage) -> None:
    code = (
        "import importlib.util as u, tiny, ddspec.canon as c;"
        "print([int.from_bytes(open(m.__cached__, 'rb').read()[4:8], 'little') for m in (tiny, c)])"
    )
    # PEP 552: 0b01 is bytecode that is checked against nothing
    assert yard.run(image, "/opt/ddspec/bin/python", "-P", "-c", code) == "[1, 1]\n"


def test_a_second_build_from_nothing_gives_the_same_layers(yard: Yard, image: RunnerImage) -> None:
    again = yard.build(cached=False)

    assert yard.layers(again.id) == yard.layers(image.id)


def test_libraries_from_an_index_are_installed_in_place_the_same_way_twice(
    yard: Yard,
) -> None:
    (yard.folder / "requirements.txt").rename(yard.folder / "kept.txt")
    (yard.folder / "requirements.txt").write_text("# nothing, so that no index is needed\n")

    first, second = yard.build(wheels=None), yard.build(wheels=None, cached=False)

    (yard.folder / "kept.txt").rename(yard.folder / "requirements.txt")
    added = [name for name in yard.names(first) if not name.startswith("opt/ddspec/")]
    assert yard.layers(first.id) == yard.layers(second.id)
    assert added in ([], ["opt/ddspec"], ["opt", "opt/ddspec"])


def test_nothing_of_the_build_stays_in_the_image(yard: Yard, image: RunnerImage) -> None:
    api = yard.engine.api
    told = json.dumps([api.history(image.id), api.inspect_image(image.id)])
    names = yard.names(image)
    assert "password" not in told
    assert "http_proxy" not in told.lower().replace("https_proxy", "http_proxy")
    assert [n for n in names if n.startswith("build") or n.endswith((".whl", "pip.conf"))] == []
    assert not [n for n in names if n.startswith(("tree", "root/.cache", "tmp/"))]


def test_an_image_starts_the_runners_as_nobody(yard: Yard, image: RunnerImage) -> None:
    found = yard.engine.api.inspect_image(image.id)["Config"]
    assert found["User"] == "65532:65532"
    assert found["Entrypoint"] == ["/opt/ddspec/bin/python", "-P", "-m", "ddspec_runners"]
    assert not found["Cmd"]
    assert found["Labels"]["org.opencontainers.image.base.name"] == yard.base
    assert json.loads(found["Labels"]["org.ddspec.revisions"]) == revisions()


def test_a_wheel_that_is_not_the_locked_one_is_refused_with_pips_reason(yard: Yard) -> None:
    wheels = wheels_in(yard.folder / "forged", WHEEL, tiny_wheel() + b"\0")

    with pytest.raises(DdspecError, match="THESE PACKAGES DO NOT MATCH THE HASHES") as caught:
        yard.build(wheels=wheels)

    assert caught.value.exit == Exit.UNABLE


def test_a_wheel_that_is_missing_is_named(yard: Yard) -> None:
    wheels = wheels_in(yard.folder / "others", f"other{WHEEL}", tiny_wheel())

    with pytest.raises(DdspecError, match=r"No matching distribution found for tiny==1\.0"):
        yard.build(wheels=wheels)
