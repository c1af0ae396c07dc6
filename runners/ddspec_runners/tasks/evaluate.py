"""Train one fresh network on a set and measure it on real images."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pydantic import JsonValue

from ddspec.spec.network import network_name
from ddspec.wire.work import EvaluateWork
from ddspec_runners.artifacts import write_json
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.evaluation.examples import examples_for
from ddspec_runners.evaluation.measure import Measurement, measure
from ddspec_runners.evaluation.train import Trained, Training
from ddspec_runners.faults import BadData
from ddspec_runners.nets.make import make_network
from ddspec_runners.runtime import dtype_of
from ddspec_runners.site import Site

METRICS = "metrics.json"


def run(work: EvaluateWork, site: Site) -> Mapping[str, JsonValue]:
    """Train, measure after the last step, write `metrics.json`, and return the headline figures.

    `accuracy` is a fraction of all test images; `loss` is None where it is not finite. The test
    split is looked at once, after training.
    """
    test = PreparedSplit.open(site.inputs["test"])
    if not len(test):
        raise BadData("the test split is empty")
    dtype = dtype_of(work.precision)
    examples = examples_for(
        site.inputs["set"], test, on_real=work.on_real, dtype=dtype, device=site.device
    )
    network = make_network(
        work.network,
        channels=test.card.channels,
        size=test.card.size,
        classes=len(test.classes),
    )
    policy = make_policy(work.protocol.augmentation, mean=test.mean, std=test.std)
    training = Training(network, examples, work.protocol, policy, work.seed, dtype)
    trained = training.run(site)
    measured = measure(network, trained.params, trained.buffers, test)
    headline: dict[str, JsonValue] = {
        "accuracy": measured.accuracy,
        "loss": _finite(measured.loss),
        "steps": trained.steps,
        "set_images": len(examples),
    }
    write_json(site.output / METRICS, headline | _details(work, test, trained, measured))
    return headline


def _details(
    work: EvaluateWork, test: PreparedSplit, trained: Trained, measured: Measurement
) -> dict[str, JsonValue]:
    confusion: JsonValue = measured.confusion.tolist()
    return {
        "format": "ddspec.evaluation/1",
        "protocol": work.protocol.name,
        "network": network_name(work.network),
        "test_images": measured.images,
        "per_class": dict(zip(test.classes, measured.per_class, strict=True)),
        "confusion": confusion,
        "training_loss": [
            [i * trained.stride, _finite(value)] for i, value in enumerate(trained.curve.tolist())
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
