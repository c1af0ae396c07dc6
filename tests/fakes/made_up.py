"""Evidence of methods that nobody ran, as tables and comparisons need it."""

from __future__ import annotations

from collections.abc import Sequence

from ddspec.canon import digest
from ddspec.run.costs import Cost
from ddspec.run.evidence import Evidence
from ddspec.run.scores import HARD, Score

PROTOCOL = digest("protocol")
TEST_SET = digest("test")


def score(
    set: str,
    accuracies: Sequence[float],
    *,
    labels: str = HARD,
    planned: int | None = None,
    runs: str = "",
    network: str = "convnet3",
) -> Score:
    """Return a score; evaluations of the same `runs` are the same."""
    keys = [digest([set, runs, at]) for at in range(len(accuracies))] if runs else []
    count = len(accuracies) if planned is None else planned
    return Score(set, network, "dc", "test", tuple(accuracies), count, tuple(keys), labels=labels)


def evidence(
    row: str,
    images_per_class: int | None,
    *scores: Score,
    seed: int = 0,
    seconds: float | None = 3600.0,
    device: str = "NVIDIA H200",
    name: str = "",
    protocol: str = PROTOCOL,
    dataset: str = "CIFAR-10",
    missing: tuple[str, ...] = (),
) -> Evidence:
    called = name or row.lower()
    return Evidence(
        document=f"{called}.yaml",
        name=called,
        row=row,
        method=digest([row, images_per_class, called, protocol, dataset]),
        seed=seed,
        dataset=dataset,
        images_per_class=images_per_class,
        protocol=protocol,
        test_set=TEST_SET,
        scores=scores,
        cost=Cost(seconds, device, 10**15),
        costs={"distilled": Cost(seconds, device, 10**15)},
        missing=missing,
    )


def paper() -> tuple[Evidence, ...]:
    """Return two methods under two budgets, one with replicates, with baselines that they share."""
    full = score("full", (0.84, 0.86), runs="full")
    random_1 = score("random", (0.14, 0.16), runs="random 1")
    random_10 = score("random", (0.25, 0.27), runs="random 10")
    return (
        evidence("DC", 1, score("distilled", (0.28, 0.29), runs="dc 1"), random_1, full),
        evidence(
            "DC", 10, score("distilled", (0.44, 0.45), runs="dc 10"), random_10, full,
            seconds=7200.0,
        ),
        evidence("DM", 1, score("distilled", (0.26, 0.27, 0.25), runs="dm 1"), random_1),
        *(
            evidence(
                "DM", 10, score("distilled", (0.48 + seed / 100, 0.5), runs=f"dm 10 {seed}"),
                seed=seed, seconds=1800.0 + seed,
            )
            for seed in range(3)
        ),
    )  # fmt: skip


def hostile(text: str) -> tuple[Evidence, ...]:
    """Return results of a method, dataset and device that are called something bad."""
    return (evidence(text, 1, score("distilled", (0.5, 0.6)), dataset=text, device=text),)
