"""Which image a run uses, and whether it computes what this installation means."""

from __future__ import annotations

from typing import Any

import pytest
from fake_images import FakeImages, image_of, labels_of

from ddspec.engine.images import (
    IMAGE,
    matching_image,
    mismatches,
    read_image,
    require_match,
    runner_image,
)
from ddspec.engine.source import revisions, runners_digest
from ddspec.errors import DdspecError, Exit

OURS = labels_of(runners_digest(), revisions())
ID = "sha256:" + "1" * 64


def test_an_image_is_read_from_its_labels() -> None:
    image = runner_image(FakeImages({IMAGE: image_of(OURS)}).engine(), IMAGE)

    assert image.reference == IMAGE
    assert image.source == runners_digest()
    assert image.revisions == revisions()
    assert (image.version, image.python, image.torch, image.cuda) == (
        "0.1.0",
        "3.12.12",
        "2.15.0",
        "13.2",
    )
    assert image.size == 6_000_000_000


@pytest.mark.parametrize(
    ("reference", "hint"),
    [(IMAGE, "`ddspec image build` makes it"), ("lab/runner:7", "`docker pull lab/runner:7`")],
    ids=["ours", "another"],
)
def test_a_missing_image_is_named_with_the_way_to_get_it(reference: str, hint: str) -> None:
    with pytest.raises(DdspecError) as caught:
        runner_image(FakeImages().engine(), reference)

    assert caught.value.exit == Exit.UNABLE
    assert str(caught.value).startswith(f"the engine has no image `{reference}`")
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "labels",
    [{}, {"org.ddspec.source": "ab"}, {**OURS, "org.ddspec.revisions": "seven"}, None],
    ids=["none", "half", "nonsense", "no object"],
)
def test_an_image_of_others_is_refused(labels: dict[str, str] | None) -> None:
    found = image_of({}) | {"Config": {"Labels": labels}}

    with pytest.raises(DdspecError, match="no runner image") as caught:
        read_image("debian:12", found)

    assert caught.value.exit == Exit.UNABLE


@pytest.mark.parametrize(
    ("reference", "digests", "pinned"),
    [
        ("ddspec-runner:1", [], f"{ID} (this host only)"),
        ("reg:5000/a/b:1", ["reg:5000/a/b@sha256:2"], "reg:5000/a/b@sha256:2"),
        ("reg:5000/a/b", ["x@sha256:1", "reg:5000/a/b@sha256:2"], "reg:5000/a/b@sha256:2"),
        ("b@sha256:2", ["a@sha256:1", "b@sha256:2"], "b@sha256:2"),
        ("local:1", ["x@sha256:1"], "x@sha256:1"),
    ],
    ids=["built here", "pushed", "of the name", "by digest", "another name"],
)
def test_pinned_is_the_repository_digest_or_the_id_on_this_host(
    reference: str, digests: list[str], pinned: str
) -> None:
    image = read_image(reference, image_of(OURS, RepoDigests=digests))

    assert image.pinned == pinned


def test_an_image_of_this_source_is_taken() -> None:
    image = matching_image(FakeImages({IMAGE: image_of(OURS)}).engine(), None)

    assert image.reference == IMAGE
    assert mismatches(image) == []


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (
            labels_of("ab" * 32, revisions()),
            f"has other runners inside (source abababababab, ddspec 0.1.0) than this "
            f"installation (source {runners_digest()[:12]}, ddspec 0.1.0)",
        ),
        (
            labels_of("ab" * 32, {**revisions(), "distill": 2}),
            "implements revision 2 of `distill`, this installation revision 1 of `distill`",
        ),
        (
            labels_of("ab" * 32, {k: n for k, n in revisions().items() if k != "merge"}),
            "implements no `merge`, this installation revision 1 of `merge`",
        ),
    ],
    ids=["source", "revision", "kind"],
)
def test_other_runners_are_refused_as_a_change(labels: dict[str, Any], said: str) -> None:
    image = read_image("r:1", image_of(labels))

    with pytest.raises(DdspecError) as caught:
        require_match(image)

    assert caught.value.exit == Exit.CHANGED
    assert [each.message for each in caught.value.diagnostics] == [f"`r:1` {said}"]
    assert "ddspec image build" in str(caught.value)
