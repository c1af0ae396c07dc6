"""Bring a published archive to disk: whole and verified, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable
from http.client import HTTPException
from pathlib import Path
from ssl import SSLError
from typing import BinaryIO
from urllib.error import URLError
from urllib.request import urlopen

from ddspec.cli.archives import Archive
from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.spec.facts import DataFile

CHUNK = 2**20
TIMEOUT_S = 30.0

NETWORK_ERRORS = (URLError, TimeoutError, ConnectionError, HTTPException, SSLError)
"""The other OSErrors are the disk's."""

Advance = Callable[[int, int], None]
"""Called with bytes received and bytes expected (0 when the server does not say)."""


def fetch_archive(archive: Archive, root: Path, advance: Advance) -> bool:
    """Download, verify and unpack one archive under `root`; return False if it was there.

    Everything happens in a temporary folder beside the target, and one rename makes it visible.
    Raises `DdspecError` with exit 6 where nothing answers, where what came is not what was
    published, or where there is no room.
    """
    target = root / archive.target
    if target.exists():
        return False
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".fetch-") as folder:
            packed = Path(folder) / "archive"
            _download(archive, packed, advance)
            UNPACK[archive.unpack](packed, Path(folder), target)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise _unable(f"{archive.urls[0]} does not unpack: {error}") from error
    except OSError as error:
        raise _unable(f"cannot write `{target}`: {error.strerror or error}") from error
    return True


def check_files(files: Iterable[DataFile], root: Path) -> None:
    """Compare unpacked files with their published checksums.

    Raises `DdspecError` with exit 6 that names every one that is missing or something else.
    """
    wrong = [
        Diagnostic(f"`{root / file.path}` is not the published file", hint="remove it, fetch again")
        for file in files
        if _sum(root / file.path, "sha256" if file.sha256 else "md5") != (file.sha256 or file.md5)
    ]
    if wrong:
        raise DdspecError(wrong, exit=Exit.UNABLE)


def _sum(path: Path, name: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, name).hexdigest()
    except OSError:
        return ""


def _download(archive: Archive, packed: Path, advance: Advance) -> None:
    problems = []
    for url in archive.urls:
        try:
            found = _receive(url, archive.limit, packed, advance)
        except NETWORK_ERRORS as error:
            problems.append(f"{url}: {str(error) or type(error).__name__}")
            continue
        if found == archive.md5:
            return
        problems.append(f"{url}: the MD5 is {found}, published is {archive.md5}")
    raise _unable("\n  ".join(["no address gave the published file", *problems]))


def _receive(url: str, limit: int, packed: Path, advance: Advance) -> str:
    """Write what `url` answers to a file and return its MD5, the sum that is published."""
    with urlopen(url, timeout=TIMEOUT_S) as answer, packed.open("wb") as file:
        told = answer.headers.get("Content-Length") or ""
        expected = int(told) if told.isascii() and told.isdecimal() else 0
        return _copy(answer, file, limit, lambda received: advance(received, expected))


def _copy(source: BinaryIO, file: BinaryIO, limit: int, advance: Callable[[int], None]) -> str:
    md5, received = hashlib.md5(usedforsecurity=False), 0
    while chunk := source.read(CHUNK):
        received += len(chunk)
        if received > limit:
            raise HTTPException(f"more than {limit} bytes, which cannot be the published file")
        md5.update(chunk)
        file.write(chunk)
        advance(received)
    return md5.hexdigest()


def _gunzip(packed: Path, folder: Path, target: Path) -> None:
    plain = folder / target.name
    with gzip.open(packed) as source, plain.open("wb") as file:
        shutil.copyfileobj(source, file, CHUNK)
    plain.rename(target)


def _untar(packed: Path, folder: Path, target: Path) -> None:
    with tarfile.open(packed) as tar:
        # the `data` filter refuses paths and links that leave the folder, devices and set-uid bits
        tar.extractall(folder / "tree", filter="data")
    (folder / "tree" / target.name).rename(target)


def _keep(packed: Path, folder: Path, target: Path) -> None:
    packed.rename(target)


UNPACK: dict[str, Callable[[Path, Path, Path], None]] = {
    "none": _keep,
    "gzip": _gunzip,
    "tar": _untar,
}


def _unable(message: str) -> DdspecError:
    return DdspecError(
        message,
        exit=Exit.UNABLE,
        hint="without a network, put the files of torchvision's layout under the data directory",
    )
