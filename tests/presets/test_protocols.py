from __future__ import annotations

import pytest

from ddspec.presets.protocols import PROTOCOLS, idc_epochs


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_is_known_by_its_own_name_and_has_one_length(name: str) -> None:
    protocol = PROTOCOLS[name]()

    assert protocol.name == name
    assert (protocol.epochs is None) != (protocol.steps is None)


@pytest.mark.parametrize(
    ("views", "classes", "epochs"),
    [
        (1, 10, 3000),
        (2, 10, 2000),
        (10, 10, 2000),
        (11, 10, 1500),
        (50, 10, 1500),
        (90, 10, 1000),
        (200, 10, 1000),
        (500, 10, 500),
        (501, 10, 300),
        (1, 100, 2000),
        (10, 100, 1300),
        (50, 100, 1000),
        (90, 100, 600),
        (500, 100, 300),
        (501, 100, 200),
    ],
)
def test_idc_trains_longer_on_smaller_sets(views: int, classes: int, epochs: int) -> None:
    assert idc_epochs(views_per_class=views, classes=classes) == epochs


def test_idc_trains_on_100_classes_with_its_own_rate_decay_and_batch() -> None:
    small, large = PROTOCOLS["idc-imagenet"](), PROTOCOLS["idc-imagenet100"]()
    fields = ("name", "batch", "optimizer")

    assert large.batch == 128
    assert (large.optimizer.learning_rate, large.optimizer.weight_decay) == (0.1, 1e-4)
    assert small.model_dump(exclude=set(fields)) == large.model_dump(exclude=set(fields))
