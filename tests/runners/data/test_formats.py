from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle  # noqa: TID251 - what is read restricted must be written first
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ddspec.spec.facts import FACTS
from ddspec_runners.data.cifar import parse_batch
from ddspec_runners.data.digits import content_of_digits, digits_file, read_digits
from ddspec_runners.data.idx import idx_part, parse_idx
from ddspec_runners.data.verified import read_verified
from ddspec_runners.faults import BadData


def test_the_digits_of_scikit_learn_are_the_published_ones() -> None:
    part = read_digits(digits_file())

    assert part.images.shape == (1797, 1, 8, 8)
    assert content_of_digits(part) == FACTS["digits"].content
    assert tuple(np.bincount(part.labels)) == FACTS["digits"].train_per_class


def test_digit_levels_are_stretched_to_a_byte(tmp_path: Path) -> None:
    row = [*range(17), *[0] * 47, 3]
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress((",".join(map(str, row)) + "\n").encode()))

    part = read_digits(path)

    assert part.images.ravel()[:17].tolist() == [round(v * 255 / 16) for v in range(17)]
    assert part.labels.tolist() == [3]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not gzip", id="foreign"),
        pytest.param(gzip.compress(b"1,2,3\n"), id="few-columns"),
        pytest.param(gzip.compress(b"a,b\n"), id="words"),
        pytest.param(gzip.compress(b"1,2,3\n" * 50)[:20], id="truncated"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt. input contained no data:UserWarning")
def test_damaged_digits_are_bad_data(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "digits.csv.gz").write_bytes(content)

    with pytest.raises(BadData, match=r"digits\.csv\.gz"):
        read_digits(tmp_path / "digits.csv.gz")


def idx(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_idx_files_become_images_and_labels() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)

    part = idx_part(idx(pixels), idx(np.array([1, 0], np.uint8)), name="train", classes=2)

    assert part.images.shape == (2, 1, 3, 3)
    assert (part.images[:, 0] == pixels).all()
    assert part.labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0\0\x08\x03" + b"\0" * 5, id="short-header"),
        pytest.param(idx(np.zeros((2, 3, 3), np.uint8))[:-1], id="truncated"),
        pytest.param(idx(np.zeros((2, 3, 3), np.uint8)) + b"x", id="longer"),
        pytest.param(b"\0\0\x0d\x03" + b"\0" * 12, id="floats"),
        pytest.param(idx(np.zeros(4, np.uint8)), id="other-dimensions"),
        pytest.param(b"\0\0\x08\x03" + b"\xff" * 12, id="absurd-size"),
    ],
)
def test_damaged_idx_is_bad_data_that_names_the_file(content: bytes) -> None:
    with pytest.raises(BadData, match="train images"):
        parse_idx(content, dimensions=3, name="train images")


def batch(rows: int = 2, **changes: object) -> bytes:
    data = np.arange(rows * 3072, dtype=np.uint32).astype(np.uint8).reshape(rows, 3072)
    return pickle.dumps({b"data": data, b"labels": [1] * rows} | changes, protocol=2)


def test_a_cifar_batch_becomes_images_by_channel() -> None:
    part = parse_batch(batch(), labels=b"labels", classes=10, name="data_batch_1")

    assert part.images.shape == (2, 3, 32, 32)
    assert part.images[0, 1, 0, :3].tolist() == [0, 1, 2]  # 1024 mod 256
    assert part.labels.tolist() == [1, 1]


class Malicious:
    """A pickle that touches a file when it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_malicious_batch_is_refused_and_never_executed(tmp_path: Path) -> None:
    bomb = pickle.dumps({b"data": Malicious(tmp_path / "executed"), b"labels": []}, protocol=2)

    with pytest.raises(BadData, match="which no CIFAR batch needs"):
        parse_batch(bomb, labels=b"labels", classes=10, name="data_batch_1")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(b"cos\nsystem\n(S'true'\ntR.", id="os-system"),
        pytest.param(b"cbuiltins\neval\n(S'1'\ntR.", id="eval"),
        pytest.param(b"cnumpy\nload\n(S'x'\ntR.", id="another-numpy-function"),
        pytest.param(b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.fly\x93.", id="dotted"),
    ],
)
def test_only_array_constructors_may_be_named(call: bytes) -> None:
    with pytest.raises(BadData, match="which no CIFAR batch needs"):
        parse_batch(call, labels=b"labels", classes=10, name="test_batch")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x80\x02", id="only-a-header"),
        pytest.param(batch()[:-20], id="truncated"),
        pytest.param(pickle.dumps([1], protocol=2), id="a-list"),
        pytest.param(pickle.dumps({b"data": 1, b"labels": []}, protocol=2), id="no-array"),
        pytest.param(
            pickle.dumps({b"data": np.zeros((1, 3072)), b"labels": [1]}, protocol=2), id="floats"
        ),
        pytest.param(
            pickle.dumps({b"data": np.zeros((1, 3072), np.uint8), b"labels": [10]}, protocol=2),
            id="label-too-high",
        ),
        pytest.param(
            pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]}, protocol=2),
            id="fewer-labels",
        ),
    ],
)
def test_a_damaged_batch_is_bad_data_that_names_it(content: bytes) -> None:
    with pytest.raises(BadData, match="data_batch_3"):
        parse_batch(content, labels=b"labels", classes=10, name="data_batch_3")


def sums(content: bytes) -> dict[str, str]:
    return {
        "md5": hashlib.md5(content).hexdigest(),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_a_file_is_read_plain_or_packed(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"digits")
    (tmp_path / "packed.gz").write_bytes(gzip.compress(b"digits"))

    found = [read_verified(tmp_path / name, **sums(b"digits")) for name in ("plain", "packed")]

    assert found == [b"digits", b"digits"]


@pytest.mark.parametrize("kind", ["md5", "sha256"])
def test_another_checksum_is_bad_data_before_anything_is_parsed(tmp_path: Path, kind: str) -> None:
    (tmp_path / "train").write_bytes(b"digits")
    published = sums(b"digits") | {kind: sums(b"other")[kind]}

    with pytest.raises(BadData, match=r"train has .* the published file has"):
        read_verified(tmp_path / "train", **published)


@pytest.mark.parametrize(
    "content", [pytest.param(None, id="missing"), pytest.param(b"\x1f\x8bxx", id="damaged-gz")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "train.gz").write_bytes(content)

    with pytest.raises(BadData, match="train cannot be read"):
        read_verified(tmp_path / "train", **sums(b""))


@pytest.mark.parametrize("name", ["train", "train.gz"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)

    with pytest.raises(BadData, match=f"{name} is not a regular file"):
        read_verified(tmp_path / "train", **sums(b""))


def test_the_unpickler_reads_what_numpy_of_any_version_writes() -> None:
    stream = io.BytesIO(batch())
    old = stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")

    part = parse_batch(old, labels=b"labels", classes=10, name="data_batch_1")

    assert len(part.images) == 2
