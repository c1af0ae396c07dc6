"""Specs of four lines, as a person writes them around a preset."""

from __future__ import annotations

from typing import Protocol

import pytest

from ddspec.spec.load import Loaded, load_text


class Short(Protocol):
    """Load a spec of a preset, a dataset and a budget."""

    def __call__(
        self, name: str, dataset: str, images: int, variant: str | None = None
    ) -> Loaded: ...


def _loaded(name: str, dataset: str, images: int, variant: str | None = None) -> Loaded:
    chosen = f"{{name: {name}, variant: {variant}}}" if variant else name
    return load_text(
        f"name: short\npreset: {chosen}\ndataset: {{kind: {dataset}}}\n"
        f"budget: {{images_per_class: {images}}}\n",
        "short.yaml",
    )


@pytest.fixture(scope="session")
def loaded() -> Short:
    return _loaded
