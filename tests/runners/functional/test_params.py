"""Casts and selections of parameter dictionaries."""

from __future__ import annotations

import pytest
import torch

from ddspec_runners.functional.params import Selection, cast, copied, selected, zeros

PARAMS = {
    "conv.weight": torch.ones(4, 3, 3, 3),
    "conv.bias": torch.ones(4),
    "layer_norm.weight": torch.ones(4, 8, 8),
    "classifier.weight": torch.ones(10, 4),
    "classifier.bias": torch.ones(10),
}


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ("kernels", ("conv.weight",)),
        ("matrices", ("conv.weight", "layer_norm.weight", "classifier.weight")),
        ("all", tuple(PARAMS)),
    ],
)
def test_a_selection_goes_by_the_number_of_dimensions(
    selection: Selection, names: tuple[str, ...]
) -> None:
    assert selected(PARAMS, selection) == names


def test_a_cast_keeps_names_and_order() -> None:
    doubled = cast(PARAMS, dtype=torch.float64, device=torch.device("cpu"))

    assert list(doubled) == list(PARAMS)
    assert {p.dtype for p in doubled.values()} == {torch.float64}
    assert {p.dtype for p in cast(doubled).values()} == {torch.float64}


def test_zeros_are_like_what_they_start() -> None:
    doubled = cast(PARAMS, dtype=torch.float64)

    assert all(z.equal(0 * doubled[name]) for name, z in zeros(doubled).items())
    assert {z.dtype for z in zeros(doubled).values()} == {torch.float64}


def test_copies_share_nothing() -> None:
    leaf = torch.ones(2, requires_grad=True)
    copy = copied({"w": leaf})["w"]
    copy.add_(1)

    assert not copy.requires_grad
    assert leaf.equal(torch.ones(2))
