"""Tensors where and as they are wanted."""

from __future__ import annotations

import pytest
import torch

from ddspec_runners.functional.placement import channels, fits, placed

CPU = torch.device("cpu")
GIB = 2**30


def test_a_tensor_that_is_in_place_is_not_copied() -> None:
    tensor = torch.arange(3)

    assert placed(tensor, CPU) is tensor
    assert placed(tensor, None) is tensor


def test_a_tensor_is_placed_in_another_type() -> None:
    moved = placed(torch.tensor([0.1], dtype=torch.float32), CPU, torch.float64)

    assert moved.dtype == torch.float64
    # Exactly the float32 number, not the decimal one.
    assert moved.item() == torch.tensor(0.1, dtype=torch.float32).item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_of_channels_lie_along_the_channels(dtype: torch.dtype) -> None:
    images = torch.zeros(2, 3, 4, 4, dtype=dtype)
    values = (0.4914, 0.4822, 0.4465)

    shifted = images + channels(values, images)

    assert shifted.dtype == dtype
    assert torch.equal(shifted[1, :, 2, 3], torch.tensor(values, dtype=dtype))


def test_values_are_told_apart_by_type() -> None:
    single, double = torch.zeros(1), torch.zeros(1, dtype=torch.float64)

    assert channels([0.1], single).dtype == torch.float32
    assert channels([0.1], double).item() == 0.1


@pytest.mark.parametrize(
    ("device", "free", "size", "expected"),
    [
        pytest.param("cuda", 80 * GIB, 16 * GIB, True, id="imagenet-at-64-px-on-a-large-gpu"),
        pytest.param("cuda", 24 * GIB, 16 * GIB, False, id="the-same-on-a-small-one"),
        pytest.param("cuda", 4 * GIB, GIB, True, id="a-quarter"),
        pytest.param("cuda", 4 * GIB, GIB + 1, False, id="one-byte-more"),
        pytest.param("mps", 0, 8 * GIB, True, id="a-device-that-is-not-asked"),
        pytest.param("mps", 0, 9 * GIB, False, id="too-much-without-asking"),
        pytest.param("cpu", 0, 1, False, id="the-file-itself-is-near-enough-to-a-cpu"),
    ],
)
def test_a_data_set_lies_on_an_accelerator_where_it_fits(
    monkeypatch: pytest.MonkeyPatch, device: str, free: int, size: int, expected: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free, 96 * GIB))

    assert fits(size, torch.device(device)) is expected
