"""The context of the image's build: one archive with everything that a builder needs, in order."""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ddspec.engine.source import package_folder, revisions, runners_digest
from ddspec.engine.wheel import wheel, wheel_name
from ddspec.errors import DdspecError, Exit
from ddspec.version import __version__

INSIDE = "recipe/opt/ddspec/recipe"
"""The image keeps what it was furnished with, and by."""
RECIPE = ("Dockerfile", "furnish.py", "requirements.txt")

FOLDERS = ("packages", "recipe", "recipe/opt", "recipe/opt/ddspec", INSIDE, "settings", "wheels")
"""Every one is in the context, if only empty: a builder refuses to copy what is not there."""

PIECE = 2**20

LOCKED = {"TORCH": "torch", "CUDA": "nvidia-cuda-runtime"}
"""Which label tells of which locked package."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a person decides about an image; nothing of it but the base is left in the image."""

    base: str | None = None
    """An image with Python 3.11 or newer, venv and pip; None for that of the Dockerfile."""
    python: str = ""
    """Version of the base's Python, for the label, where it is known."""
    wheels: Path | None = None
    """Folder of wheels to install from, without any index."""
    pip_config: Path | None = None
    """pip.conf of a private index."""
    ca: Path | None = None
    """Certificates (PEM) to trust while installing."""


def context(recipe: Recipe) -> Iterator[bytes]:
    """Return the context as a tar archive, piece by piece: wheels are gigabytes.

    Sorted, owned by root, without a clock: the same installation and the same recipe give the same
    bytes, so that a builder finds every step in its cache. Raises DdspecError, before the first
    piece: exit 2 for a path that is not there, exit 6 where the installation lacks something.
    """
    return _archive([*_texts(recipe)], [*_files(recipe)])


def _archive(
    texts: Sequence[tuple[str, bytes]], files: Sequence[tuple[str, Path]]
) -> Iterator[bytes]:
    for folder in FOLDERS:
        yield _header(folder, tarfile.DIRTYPE, 0)
    for name, content in texts:
        yield _header(name, tarfile.REGTYPE, len(content)) + content + _padding(len(content))
    for name, path in files:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            yield _header(name, tarfile.REGTYPE, size)
            while piece := file.read(PIECE):
                yield piece
        yield _padding(size)
    yield bytes(2 * tarfile.BLOCKSIZE)


def base_of(recipe: Recipe) -> str:
    """Return the base image that the recipe means."""
    if recipe.base:
        return recipe.base
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", _recipe_file("Dockerfile").read_text(), re.M)
    assert found, "the Dockerfile is ours, and names a base"
    return found[1]


def locked_versions() -> Mapping[str, str]:
    """Return package to version of requirements.txt; where a Python has its own, the newest."""
    text = _recipe_file("requirements.txt").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", text, re.M))


def labels(recipe: Recipe) -> Mapping[str, str]:
    """Return the arguments of the Dockerfile that become labels of the image."""
    versions = locked_versions()
    told = {name: versions.get(package, "") for name, package in LOCKED.items()}
    return {
        "VERSION": __version__,
        "SOURCE": runners_digest(),
        "REVISIONS": json.dumps(dict(sorted(revisions().items())), separators=(",", ":")),
        "PYTHON": recipe.python,
        "TORCH": told["TORCH"],
        "CUDA": ".".join(told["CUDA"].split(".")[:2]),
    }


def _texts(recipe: Recipe) -> Iterator[tuple[str, bytes]]:
    for name in RECIPE:
        text = _recipe_file(name).read_text()
        if name == "Dockerfile":
            yield name, _filled(text, recipe).encode()
        else:
            yield f"{INSIDE}/{name}", text.encode()
    yield f"packages/{wheel_name()}", wheel()


def _filled(dockerfile: str, recipe: Recipe) -> str:
    """Return the Dockerfile with its arguments filled in, so that any builder needs no others."""
    for name, value in {"BASE_IMAGE": base_of(recipe), **labels(recipe)}.items():
        if not re.fullmatch(r"[^\s'\\$]*", value):
            raise DdspecError(f"`{value}` cannot be the name of an image", exit=Exit.USAGE)
        # `value` holds no backslash, so that it means itself in the pattern's replacement
        dockerfile = re.sub(rf"^ARG {name}=.*$", f"ARG {name}='{value}'", dockerfile, flags=re.M)
    return dockerfile


def _files(recipe: Recipe) -> Iterator[tuple[str, Path]]:
    settings = {"ca.pem": recipe.ca, "pip.conf": recipe.pip_config}
    for name, path in settings.items():
        if path is not None:
            yield f"settings/{name}", _existing(path)
    if recipe.wheels is not None:
        found = sorted(recipe.wheels.glob("*.whl"))
        if not found:
            raise DdspecError(f"no wheels in `{recipe.wheels}`", exit=Exit.USAGE)
        yield from ((f"wheels/{path.name}", path) for path in found)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise DdspecError(f"`{path}` is no file", exit=Exit.USAGE)
    return path


def _recipe_file(name: str) -> Path:
    """Return a file of the recipe: in the package where installed, beside it in a checkout."""
    package = package_folder("ddspec")
    places = (package / "engine" / "recipe" / name, package.parent / "docker" / name)
    for path in places:
        if path.is_file():
            return path
    raise DdspecError(
        f"this installation of ddspec is not whole: `{places[0]}` is missing",
        exit=Exit.UNABLE,
        hint="install ddspec again",
    )


def _header(name: str, kind: bytes, size: int) -> bytes:
    """Return the header of one entry: root's, readable by all, and from the first of all days."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.type = size, kind
    entry.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return entry.tobuf(tarfile.PAX_FORMAT)


def _padding(size: int) -> bytes:
    """Return what fills the last block of an entry."""
    return bytes(-size % tarfile.BLOCKSIZE)
