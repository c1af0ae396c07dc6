"""What the planner forecasts of a relabelling is what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import taught_sets as taught

from ddspec.plan import cost_disk
from ddspec.plan.ir import DataFacts
from ddspec_runners.tasks import relabel

DATA = DataFacts("noise", "noise", None, ("a", "b", "c"), size=4, channels=1)
ALLOWED = 1500
"""Bytes of descriptions, which are forecast for all that they may hold."""


@pytest.mark.parametrize(
    "mix",
    [
        pytest.param({}, id="plain"),
        pytest.param({"mixup": 0.8, "augmentation": {"kind": "pad_crop"}}, id="mixup"),
        pytest.param({"cutmix": 1.0, "augmentation": {"kind": "dsa"}}, id="cutmix"),
        pytest.param({"augmentation": {"kind": "dsa", "operations": ["flip", "crop"]}}, id="few"),
        pytest.param({"augmentation": {"kind": "idc"}}, id="idc"),
        pytest.param({"augmentation": {"kind": "dc"}}, id="dc"),
    ],
)
def test_bytes_of_a_relabelling_are_forecast(tmp_path: Path, mix: dict[str, Any]) -> None:
    by = taught.protocol(epochs=20, **mix)
    work = taught.relabel_work(by)
    at = taught.site(tmp_path, "labels", taught.inputs_of(tmp_path))
    found = relabel.run(work, at)

    forecast = cost_disk.labels_bytes(DATA, work, found["views"], found["batches"])

    written = sum(path.stat().st_size for path in at.output.iterdir())
    assert written <= forecast - cost_disk.RESULT <= written + ALLOWED
