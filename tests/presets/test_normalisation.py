"""Constants of official codes, beside those that were published with the datasets."""

from __future__ import annotations

import pytest

from ddspec.presets.normalisation import OFFICIAL
from ddspec.spec.facts import FACTS

TOLD = [
    (layout, kind)
    for layout, constants in OFFICIAL.items()
    for kind in constants
    if kind in FACTS and FACTS[kind].mean is not None
]


@pytest.mark.parametrize(("layout", "kind"), TOLD, ids=[f"{one}-{kind}" for one, kind in TOLD])
def test_official_code_normalises_as_was_published_but_for_one_dataset(
    layout: str, kind: str
) -> None:
    # MTT's loader takes CIFAR-10's constants for CIFAR-100
    published = FACTS["cifar10" if (layout, kind) == ("mtt", "cifar100") else kind]

    assert OFFICIAL[layout][kind] == (published.mean, published.std)  # type: ignore[index]


def test_datasets_of_all_papers_are_told() -> None:
    assert {kind for layout, kind in TOLD if layout == "dc"} >= {
        "mnist", "fashion_mnist", "svhn", "cifar10", "cifar100",
    }  # fmt: skip
