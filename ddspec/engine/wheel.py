"""Our own wheel, packed from the files of this installation, wherever it came from.

A checkout, an editable installation and an ordinary one give the same bytes, without a build
tool and without a network.
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from importlib import metadata

from ddspec.engine.source import RUNNERS, files_of
from ddspec.errors import DdspecError, Exit
from ddspec.version import __version__

FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The first time that a zip archive can hold; no clock is in the wheel."""

RECIPE = "engine/recipe/"
"""Where an installed ddspec keeps the recipe of the image; of no use inside it."""

METADATA = """\
Metadata-Version: 2.4
Name: ddspec
Version: {version}
Summary: Dataset distillation as a reviewed plan
License-Expression: Apache-2.0
License-File: LICENSE
Requires-Python: >=3.11
"""
"""Without requirements: the image has those of the runners, by hash, and no others."""

WHEEL = """\
Wheel-Version: 1.0
Generator: ddspec
Root-Is-Purelib: true
Tag: py3-none-any
"""


def wheel_name() -> str:
    """Return the file name that the wheel needs to be installed under."""
    return f"ddspec-{__version__}-py3-none-any.whl"


def wheel() -> bytes:
    """Return the wheel of both packages; the same bytes for the same source.

    Raises DdspecError (exit 6) where the installation lacks something.
    """
    info = f"ddspec-{__version__}.dist-info"
    files = _modules() | {
        f"{info}/METADATA": METADATA.format(version=__version__).encode(),
        f"{info}/WHEEL": WHEEL.encode(),
        f"{info}/licenses/LICENSE": _license(),
    }
    record = f"{info}/RECORD"
    files[record] = _record(files, record)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(_entry(name), content)
    return packed.getvalue()


def _modules() -> dict[str, bytes]:
    return {
        f"{package}/{name}": path.read_bytes()
        for package in ("ddspec", RUNNERS)
        for name, path in files_of(package)
        if not name.startswith(RECIPE)
    }


def _license() -> bytes:
    try:
        files = metadata.distribution("ddspec").files or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "LICENSE":
            return file.read_binary()
    raise DdspecError(
        "this installation of ddspec has no licence file, which belongs into the image",
        exit=Exit.UNABLE,
        hint="install ddspec, `pip install -e .` in a checkout",
    )


def _record(files: Mapping[str, bytes], itself: str) -> bytes:
    """Return the list of files with their hashes, as an installer checks it."""
    rows = [f"{name},sha256={_hash(content)},{len(content)}" for name, content in files.items()]
    return "\n".join([*rows, f"{itself},,", ""]).encode()


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, FIRST_DAY)
    entry.create_system = 3  # Unix, whichever system packs it
    entry.external_attr = 0o644 << 16
    return entry
