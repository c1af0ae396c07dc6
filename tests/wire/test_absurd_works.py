"""Works of networks and of soft labels take no numbers that nobody could have meant."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from ddspec.wire.work import PretrainWork, PruneWork, RelabelWork, WorkModel

SGD = {"kind": "sgd", "learning_rate": 0.1}
NETWORK = {"kind": "convnet", "depth": 1, "width": 2}
TRAINED: dict[str, Any] = {
    "network": NETWORK,
    "epochs": 2,
    "batch": 8,
    "optimizer": SGD,
    "augmentation": {"kind": "none"},
    "cutmix": 0.0,
    "seed": [0],
    "precision": "float32",
}
PRETRAIN = {**TRAINED, "decay": None, "record": [0, 2]}
PRUNE = {**TRAINED, "flops": 1e6, "parameters": 100}
RELABEL = {
    "teachers": {
        "network": NETWORK,
        "average": "logits",
        "batch_norm": "running",
        "record": [1],
    },
    "epochs": 3,
    "batch": 8,
    "augmentation": {"kind": "none"},
    "cutmix": 0.5,
    "seed": [0],
    "precision": "float32",
}
ABSURD: list[tuple[type[WorkModel], dict[str, Any], str, Any]] = [
    (PretrainWork, PRETRAIN, "record", [-1]),
    (PretrainWork, PRETRAIN, "record", [0, 3]),
    (PretrainWork, PRETRAIN, "record", []),
    (PretrainWork, PRETRAIN, "cutmix", float("nan")),
    (PretrainWork, PRETRAIN, "zca", -1.0),
    (PruneWork, PRUNE, "flops", float("nan")),
    (PruneWork, PRUNE, "parameters", 0),
    (PruneWork, PRUNE, "epochs", 10**18),
    (PruneWork, PRUNE, "batch", -1),
    (RelabelWork, RELABEL, "epochs", 2**63),
    (RelabelWork, RELABEL, "epochs", 0),
    (RelabelWork, RELABEL, "steps", -1),
    (RelabelWork, RELABEL, "cutmix", float("nan")),
    (RelabelWork, RELABEL, "mixup", 0.0),
    (RelabelWork, RELABEL, "teachers", {**RELABEL["teachers"], "record": []}),
]


@pytest.mark.parametrize(
    ("model", "plain", "field", "value"),
    [pytest.param(*case, id=f"{case[0].__name__}-{case[2]}={case[3]}"[:60]) for case in ABSURD],
)
def test_a_number_that_nobody_could_have_meant_is_refused_at_the_border(
    model: type[WorkModel], plain: dict[str, Any], field: str, value: Any
) -> None:
    assert model.model_validate_json(json.dumps(plain))

    with pytest.raises(ValidationError, match=field):
        model.model_validate_json(json.dumps({**plain, field: value}))
