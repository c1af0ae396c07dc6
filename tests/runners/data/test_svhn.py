"""SVHN's files become digits, and what is no such file is said to be none."""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt
import pytest
from scipy.io import savemat

from ddspec_runners.data.svhn import parse_mat
from ddspec_runners.faults import BadData

Array = npt.NDArray[np.generic]


def mat(**arrays: Array) -> bytes:
    file = io.BytesIO()
    savemat(file, arrays, do_compression=True)
    return file.getvalue()


def pixels(count: int) -> npt.NDArray[np.uint8]:
    """Every value says where it stands: row, column, colour and image."""
    row, column, colour, image = np.indices((32, 32, 3, count))
    return ((7 * row + 3 * column + 50 * colour + 11 * image) % 256).astype(np.uint8)


def labels(*numbers: int) -> npt.NDArray[np.uint8]:
    return np.array(numbers, np.uint8)[:, None]


def test_the_last_axis_counts_the_images_and_ten_is_the_digit_zero() -> None:
    part = parse_mat(mat(X=pixels(3), y=labels(10, 1, 9)), name="train_32x32.mat")

    assert part.images.shape == (3, 3, 32, 32)
    assert part.labels.tolist() == [0, 1, 9]
    for image, colour, row, column in ((0, 0, 0, 1), (1, 2, 5, 31), (2, 1, 31, 0)):
        value = (7 * row + 3 * column + 50 * colour + 11 * image) % 256
        assert part.images[image, colour, row, column] == value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "is no MATLAB file", id="empty"),
        pytest.param(b"PK\3\4" * 50, "is no MATLAB file", id="a-zip"),
        pytest.param(mat(X=pixels(2), y=labels(1, 2))[:-40], "is no MATLAB file", id="truncated"),
        pytest.param(mat(X=pixels(2)), "has no `X` or no `y`", id="no-labels"),
        pytest.param(mat(X=pixels(2), y=labels(1)), r"labels \(1, 1\)", id="fewer-labels"),
        pytest.param(
            mat(X=pixels(2).astype(np.float64), y=labels(1, 2)), "holds float64", id="floats"
        ),
        pytest.param(mat(X=pixels(2)[:16], y=labels(1, 2)), r"holds uint8 \(16", id="other-size"),
        pytest.param(mat(X=pixels(2), y=labels(0, 2)), "outside of 1 … 10", id="label-0"),
        pytest.param(mat(X=pixels(2), y=labels(11, 2)), "outside of 1 … 10", id="label-11"),
        pytest.param(
            mat(X=pixels(2), y=labels(1, 2) / 2), "outside of 1 … 10", id="fractions-of-labels"
        ),
    ],
)
def test_what_is_no_such_file_is_bad_data_that_names_it(content: bytes, message: str) -> None:
    with pytest.raises(BadData, match=message) as error:
        parse_mat(content, name="test_32x32.mat")

    assert str(error.value).startswith("test_32x32.mat ")


def test_a_file_of_the_newer_format_is_refused() -> None:
    # version 7.3 is HDF5 behind a head of 512 bytes; the published files are of version 5
    head = b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H", 0x0200) + b"IM"

    with pytest.raises(BadData, match="is no MATLAB file"):
        parse_mat(head.ljust(600, b"\0"), name="train_32x32.mat")
