"""Files that nobody here has written: nothing in them runs, and nothing fills the memory."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from official_files import in_class_order, write_dc

from ddspec_runners.faults import BadData
from ddspec_runners.imports.layouts import looks_like
from ddspec_runners.imports.reading import described, opened

IMAGES = torch.rand(4, 1, 4, 4, generator=torch.Generator().manual_seed(0))


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, at: Path) -> None:
        self.at = at

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.at),)


def test_numbers_of_numpy_beside_the_tensors_are_passed_over(tmp_path: Path) -> None:
    path = write_dc(tmp_path / "res.pt", [(IMAGES, in_class_order(4, 1))])

    value = opened(path).value

    assert isinstance(value, dict)
    assert torch.equal(value["data"][0][0], IMAGES)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pickle_that_runs_something_is_refused_and_runs_nothing(
    tmp_path: Path, zipped: bool
) -> None:
    path, made = tmp_path / "data.pt", tmp_path / "made"
    torch.save([IMAGES, Hostile(made)], path, _use_new_zipfile_serialization=zipped)

    with pytest.raises(BadData, match="it is damaged, or holds more than tensors"):
        opened(path)

    assert not made.exists()


def test_a_bare_pickle_that_runs_something_is_refused(tmp_path: Path) -> None:
    path, made = tmp_path / "data.pt", tmp_path / "made"
    path.write_bytes(b"cposix\nmkdir\n(S'" + str(made).encode() + b"'\ntR.")

    with pytest.raises(BadData, match=r"cannot be read as a file of torch\.save"):
        opened(path)

    assert not made.exists()


def test_a_stand_in_is_not_what_it_stands_for(tmp_path: Path) -> None:
    path, made = tmp_path / "data.pt", tmp_path / "made"
    # the name that is allowed is called with the hostile argument, and does nothing with it
    body = b"cnumpy.core.multiarray\nscalar\n(cposix\nmkdir\nS'" + str(made).encode() + b"'\ntR."
    path.write_bytes(body)

    with pytest.raises(BadData):
        opened(path)

    assert not made.exists()


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, part: float) -> None:
    path = tmp_path / "data.pt"
    torch.save([IMAGES, in_class_order(4, 1)], path)
    content = path.read_bytes()
    path.write_bytes(content[: int(part * len(content))])

    with pytest.raises(BadData, match="cannot be read"):
        opened(path)


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    plain = io.BytesIO()
    torch.save([torch.zeros(2_000_000), in_class_order(4, 1)], plain)
    path = tmp_path / "data.pt"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for entry in source.infolist():
            target.writestr(entry.filename, source.read(entry), zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 100_000

    with pytest.raises(BadData, match="its parts are packed"):
        opened(path)


def test_a_tensor_that_says_one_number_many_times_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.pt"
    torch.save([torch.zeros(1).expand(10**10).view(-1, 1, 100, 100), torch.zeros(1)], path)
    assert path.stat().st_size < 10_000

    with pytest.raises(BadData, match="which is no array of numbers in the file"):
        opened(path)


def test_a_claim_of_ten_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.pt"
    torch.save([IMAGES, IMAGES], path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    size = (64).to_bytes(8, "little")
    assert size in content
    path.write_bytes(content.replace(size, (10 * 2**30).to_bytes(8, "little")))

    with pytest.raises(BadData, match="cannot be read"):
        opened(path)


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "data.pt"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)

    with pytest.raises(BadData, match=r"there is no set|not a regular file"):
        opened(path)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "bare"])
def test_a_pickle_that_asks_for_memory_gets_none(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "data.pt"
    body = b"\x80\x02cbuiltins\nbytearray\nJ" + (2**30).to_bytes(4, "little") + b"\x85R."
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", body)
            archive.writestr("archive/version", "3\n")
    else:
        path.write_bytes(body)

    with pytest.raises(BadData, match="asks for memory"):
        opened(path)


def test_sparse_tensors_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.pt"
    torch.save([torch.eye(4).to_sparse(), IMAGES], path)

    with pytest.raises(BadData):
        opened(path)


def test_what_is_told_of_a_file_is_one_safe_line() -> None:
    told = described({"\x1b[2J\nkey" * 20: IMAGES, 3: 1})

    assert told.isprintable()
    assert len(told) < 200


@pytest.mark.parametrize(
    ("value", "layout"),
    [
        pytest.param({"data": []}, "dc", id="dc"),
        pytest.param(IMAGES, "mtt", id="mtt"),
        pytest.param([IMAGES, IMAGES], "idc", id="idc"),
        pytest.param({"state_dict": {}}, None, id="weights"),
        pytest.param([[IMAGES]], None, id="trajectories"),
        pytest.param("text", None, id="text"),
    ],
)
def test_whose_file_it_looks_like_is_known(value: object, layout: str | None) -> None:
    assert looks_like(value) == layout
