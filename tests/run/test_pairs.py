"""Which results of two documents stand side by side, and which may."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from ddspec.run.evidence import Evidence
from ddspec.run.pairs import Alone, Pair, Unlike, paired
from ddspec.run.scores import Score


def score(name: str, *accuracies: float, keys: tuple[str, ...] = (), **fields: Any) -> Score:
    """Return accuracies of a set under the protocol `idc`."""
    whole = Score(name, "convnet3", "idc", "test", accuracies, len(accuracies), keys)
    return replace(whole, **fields)


def evidence(*scores: Score, **fields: Any) -> Evidence:
    """Return what is known of a result on CIFAR-10 at 10 images per class."""
    known = {
        "dataset": "CIFAR-10",
        "images_per_class": 10,
        "protocol": "a" * 64,
        "test_set": "b" * 64,
        **fields,
    }
    return Evidence("x.yaml", "x", scores=scores, **known)


def test_sets_of_one_name_and_network_stand_side_by_side() -> None:
    before = evidence(score("distilled", 0.6), score("random", 0.3))
    after = evidence(score("distilled", 0.7), score("full", 0.9))

    found = paired([before], [after])

    assert [(pair.set, pair.before, pair.after) for pair in found.pairs] == [
        ("distilled", (score("distilled", 0.6),), (score("distilled", 0.7),))
    ]
    assert found.alone == (
        Alone("before", "", (("random", "convnet3"),)),
        Alone("after", "", (("full", "convnet3"),)),
    )


def test_variants_are_paired_by_name() -> None:
    before = [evidence(score("distilled", 0.6), variant=name) for name in ("dc", "dm")]
    after = [evidence(score("distilled", 0.7), variant=name) for name in ("dm", "mtt")]

    found = paired(before, after)

    assert [pair.variant for pair in found.pairs] == ["dm"]
    assert [(one.side, one.variant) for one in found.alone] == [("before", "dc"), ("after", "mtt")]


def test_one_method_is_compared_with_each_of_several() -> None:
    one = evidence(score("distilled", 0.6))
    several = [evidence(score("distilled", 0.7), variant=name) for name in ("dm", "mtt")]

    assert [pair.variant for pair in paired([one], several).pairs] == ["dm", "mtt"]
    assert [pair.variant for pair in paired(several, [one]).pairs] == ["dm", "mtt"]


def test_several_methods_without_a_shared_name_are_not_paired_at_random() -> None:
    before = [evidence(score("distilled", 0.6), variant=name) for name in ("dc", "dsa")]
    after = [evidence(score("distilled", 0.7), variant=name) for name in ("dm", "mtt")]

    found = paired(before, after)

    assert found.pairs == ()
    assert [one.variant for one in found.alone] == ["dc", "dsa", "dm", "mtt"]


def test_replicates_are_joined_in_one_row() -> None:
    before = [
        evidence(score("distilled", 0.6 + seed / 10), variant=f"seed-{seed}", seed=seed, method="m")
        for seed in (1, 0)
    ]
    after = [
        evidence(score("distilled", 0.8), variant=f"seed-{seed}", seed=seed, method="n", row="DM")
        for seed in (0, 1, 2)
    ]

    other = evidence(score("distilled", 0.9), variant="dc", method="o")

    (pair,) = paired(before, after).pairs
    named = paired(before, [*after, other]).pairs

    assert (pair.variant, [one.variant for one in named]) == ("", ["DM"])
    assert [one.accuracies for one in pair.before] == [(0.6,), (0.7,)]
    assert len(pair.after) == 3
    assert pair.difference == pytest.approx(0.15)


def test_replicates_are_paired_with_the_variant_that_they_are_of() -> None:
    one = [
        evidence(score("distilled", 0.6), variant=name, method=name, seed=0) for name in ("a", "b")
    ]
    several = [
        evidence(score("distilled", 0.7), variant=f"{name}-seed-{seed}", seed=seed, method=name * 2)
        for name in ("a", "b")
        for seed in (0, 1)
    ]

    found = paired(one, several)

    assert [(pair.variant, len(pair.after)) for pair in found.pairs] == [("a", 2), ("b", 2)]
    assert found.alone == ()


UNLIKE = {
    "protocol": (
        score("distilled", 0.6, protocol="dsa"),
        {"protocol": "c" * 64},
        Unlike("protocol", "idc", "dsa"),
    ),
    "protocol-of-one-name": (
        score("distilled", 0.6),
        {"protocol": "c" * 64},
        Unlike("protocol", "idc", "idc of other content"),
    ),
    "test-set": (
        score("distilled", 0.6),
        {"test_set": "c" * 64, "dataset": "SVHN"},
        Unlike("test set", "CIFAR-10", "SVHN"),
    ),
    "split": (score("distilled", 0.6, on="validation"), {}, Unlike("split", "test", "validation")),
    "labels": (score("distilled", 0.6, labels="soft"), {}, Unlike("label kind", "hard", "soft")),
    "budget": (
        score("distilled", 0.6),
        {"images_per_class": 50},
        Unlike("images per class", "10", "50"),
    ),
}


@pytest.mark.parametrize(("other", "facts", "expected"), UNLIKE.values(), ids=UNLIKE)
def test_what_is_not_alike_is_told(other: Score, facts: dict[str, Any], expected: Unlike) -> None:
    (pair,) = paired([evidence(score("distilled", 0.5))], [evidence(other, **facts)]).pairs

    assert pair.unlike == (expected,)


def test_a_protocol_of_another_name_and_the_same_content_is_alike() -> None:
    other = evidence(score("distilled", 0.6, protocol="ours"))

    (pair,) = paired([evidence(score("distilled", 0.5))], [other]).pairs

    assert pair.unlike == ()


def test_all_real_images_compare_across_budgets() -> None:
    sides = [evidence(score("full", 0.9), images_per_class=count) for count in (1, 50)]

    (pair,) = paired(sides[:1], sides[1:]).pairs

    assert pair.unlike == ()


def test_a_file_that_tells_no_facts_is_compared_by_names() -> None:
    old = Evidence("old.json", "x", scores=(score("distilled", 0.5), score("init", 0.1)))
    new = evidence(score("distilled", 0.6), score("init", 0.2, protocol="dsa"))

    distilled, init = paired([old], [new]).pairs

    assert distilled.unlike == ()
    assert distilled.untold == ("protocol", "test set", "images per class")
    assert init.unlike == (Unlike("protocol", "idc", "dsa"),)


def test_the_same_evaluations_are_no_second_measurement() -> None:
    one = score("random", 0.4, 0.6, keys=("a", "b"))
    more = score("random", 0.4, 0.6, 0.5, keys=("a", "b", "c"))

    same, grown = (paired([evidence(one)], [evidence(other)]).pairs[0] for other in (one, more))

    assert same.is_same
    assert grown.is_same
    assert (same.standard_error, grown.standard_error) == (None, None)


def test_errors_are_over_networks_or_over_sets() -> None:
    # spreads .014142 and .028284 of two networks: errors .01 and .02, together sqrt(.0005)
    alone = Pair("", (score("distilled", 0.80, 0.82),), (score("distilled", 0.84, 0.88),))
    # the same numbers as means of two sets: networks within them do not count
    sets = Pair(
        "",
        (score("distilled", 0.79, 0.81), score("distilled", 0.82)),
        (score("distilled", 0.84), score("distilled", 0.80, 0.96)),
    )

    assert alone.standard_error == pytest.approx(math.sqrt(0.0005))
    assert sets.standard_error == pytest.approx(math.sqrt(0.0005))
    assert replace(alone, before=(score("distilled", 0.8),)).standard_error is None


def test_sets_count_alike_in_a_difference_whatever_the_number_of_their_networks() -> None:
    after = (score("distilled", 0.4), score("distilled", 0.6, 0.6, 0.6))

    assert Pair("", (score("distilled", 0.3),), after).difference == pytest.approx(0.2)


def test_the_mean_of_several_sets_beside_one_is_known_by_their_networks() -> None:
    one = (score("distilled", 0.80, 0.82),)
    # errors .01 on the side of one set; of two with .02 each, sqrt(.0008) / 2 in their mean
    two = (score("distilled", 0.84, 0.88), score("distilled", 0.90, 0.94))

    assert Pair("", one, two).standard_error == pytest.approx(math.sqrt(0.0001 + 0.0002))
