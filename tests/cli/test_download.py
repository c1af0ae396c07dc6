"""Archives arrive whole and verified, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from ddspec.cli.archives import ARCHIVES, Archive
from ddspec.cli.download import check_files, fetch_archive
from ddspec.errors import DdspecError, Exit
from ddspec.spec.facts import FACTS, DataFile


def ignore(received: int, expected: int) -> None:
    pass


def published(folder: Path, data: bytes, **changes: object) -> Archive:
    """Lay a file out as a server would, and describe it as the table does."""
    path = folder / "published"
    path.write_bytes(data)
    row = {
        "urls": (path.as_uri(),),
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "unpack": "gzip",
        "target": "set/raw/images",
        "limit": 10_000,
    }
    return Archive(**{**row, **changes})  # type: ignore[arg-type]


def tar_of(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def left_in(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_a_gzip_becomes_the_file_it_holds(tmp_path: Path) -> None:
    root = tmp_path / "data"
    archive = published(tmp_path, gzip.compress(b"images"))

    assert fetch_archive(archive, root, ignore)
    assert (root / "set/raw/images").read_bytes() == b"images"
    assert left_in(root) == ["set/raw/images"]


def test_a_tar_becomes_the_folder_it_holds(tmp_path: Path) -> None:
    root = tmp_path / "data"
    data = tar_of(**{"batches/one": b"1", "batches/two": b"2"})
    archive = published(tmp_path, data, unpack="tar", target="batches")

    assert fetch_archive(archive, root, ignore)
    assert left_in(root) == ["batches/one", "batches/two"]


def test_a_file_that_is_not_packed_is_kept_as_it_came(tmp_path: Path) -> None:
    root = tmp_path / "data"
    archive = published(tmp_path, b"digits", unpack="none", target="train_32x32.mat")

    assert fetch_archive(archive, root, ignore)
    assert (root / "train_32x32.mat").read_bytes() == b"digits"
    assert left_in(root) == ["train_32x32.mat"]


def test_files_that_are_not_packed_have_the_sums_of_their_archives() -> None:
    archives = [one for rows in ARCHIVES.values() for one in rows if one.unpack == "none"]

    assert {one.target: one.md5 for one in archives} == {
        file.path: file.md5 for file in FACTS["svhn"].files
    }


def test_every_dataset_of_published_files_can_be_fetched() -> None:
    assert set(ARCHIVES) == {name for name, facts in FACTS.items() if facts.files}


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    root = tmp_path / "data"
    archive = published(tmp_path, gzip.compress(b"images"))
    fetch_archive(archive, root, ignore)
    (tmp_path / "published").unlink()

    assert not fetch_archive(archive, root, ignore)


def test_the_next_address_is_tried_when_one_gives_something_else(tmp_path: Path) -> None:
    good = published(tmp_path, gzip.compress(b"images"))
    other = tmp_path / "other"
    other.write_bytes(b"a page that says the file has moved")
    archive = published(
        tmp_path, gzip.compress(b"images"), urls=(other.as_uri(), *good.urls), md5=good.md5
    )

    assert fetch_archive(archive, tmp_path / "data", ignore)


REFUSALS = {
    "another sum": ({"md5": "0" * 32}, "the MD5 is "),
    "no answer": ({"urls": ("file:///no/such/place",)}, "no address gave the published file"),
    "too large": ({"limit": 3}, "more than 3 bytes"),
    "not the format": ({"unpack": "tar"}, "does not unpack"),
}


@pytest.mark.parametrize(("changes", "words"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_used_is_told_and_leaves_nothing(
    changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    archive = published(tmp_path, gzip.compress(b"images"), **changes)

    with pytest.raises(DdspecError) as caught:
        fetch_archive(archive, root, ignore)

    assert caught.value.exit is Exit.UNABLE
    assert words in str(caught.value)
    assert left_in(root) == []


def test_a_tar_cannot_write_outside_its_folder(tmp_path: Path) -> None:
    root = tmp_path / "data"
    data = tar_of(**{"../escaped": b"!", "batches/one": b"1"})
    archive = published(tmp_path, data, unpack="tar", target="batches")

    with pytest.raises(DdspecError, match="does not unpack"):
        fetch_archive(archive, root, ignore)

    assert left_in(root) == []


@pytest.mark.parametrize("length", ["abc", "-5", "\u00b2", "1e3"])
def test_a_length_that_is_no_number_is_no_length(tmp_path: Path, length: str) -> None:
    data = gzip.compress(b"images")

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", length)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/"
        archive = published(tmp_path, data, urls=(url,))

        assert fetch_archive(archive, tmp_path / "data", ignore)
        thread.join()


def test_a_machine_without_a_network_gets_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    closed = "http://127.0.0.1:9/images.gz"
    archive = published(tmp_path, gzip.compress(b"images"), urls=(closed,))

    with pytest.raises(DdspecError, match="Connection refused") as caught:
        fetch_archive(archive, tmp_path / "data", ignore)

    assert caught.value.exit is Exit.UNABLE


def test_every_archive_has_an_address_and_a_sum() -> None:
    archives = [archive for archives in ARCHIVES.values() for archive in archives]

    assert {len(archive.md5) for archive in archives} == {32}
    assert all(archive.urls for archive in archives)
    assert len({archive.target for archive in archives}) == len(archives)


def test_every_dataset_with_archives_has_checksums_of_its_files() -> None:
    assert all(FACTS[name].files for name in ARCHIVES)


def test_files_that_are_not_the_published_ones_are_all_named(tmp_path: Path) -> None:
    good, altered, missing = (
        DataFile(name, hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), None)
        for name in ("good", "altered", "missing")
    )
    (tmp_path / "good").write_text("good")
    (tmp_path / "altered").write_text("something else")

    check_files([good], tmp_path)
    with pytest.raises(DdspecError) as caught:
        check_files([good, altered, missing], tmp_path)

    assert caught.value.exit is Exit.UNABLE
    assert [str(problem).split("`")[1] for problem in caught.value.diagnostics] == [
        str(tmp_path / "altered"),
        str(tmp_path / "missing"),
    ]
