"""What recovery draws, keeps and refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ddspec.spec.network import ConvNetSpec
from ddspec.wire.schedule import Schedule
from ddspec_runners.distillation.recover import Recovery
from ddspec_runners.faults import BadJob, Diverged
from ddspec_runners.matchers.statistics import StatisticsMatcher, Teacher
from ddspec_runners.pools.perturb import perturb

BRIEF: dict[str, Any] = {"stop": 2, "loops": 2}
PERTURBED = {
    "kind": "filter_gaussian",
    "directions": 2,
    "coefficient": {"law": "uniform_signed", "low": 0.1, "high": 0.5},
}

Seen = list[tuple[tuple[Teacher, ...], Tensor, Tensor]]


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    """Note what each step matches: teachers, views, labels."""
    noted: Seen = []
    plain = StatisticsMatcher.gradient

    def noting(
        self: StatisticsMatcher, teachers: Any, views: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        noted.append((tuple(teachers), views, labels))
        return plain(self, teachers, views, labels)

    monkeypatch.setattr(StatisticsMatcher, "gradient", noting)
    return noted


def which(
    teacher: Teacher, member: Callable[[int], Mapping[str, Tensor]], members: int = 6
) -> int | None:
    """Return which member of the pool a teacher is."""
    for index in range(members):
        if member(index)["block0.conv.weight"].equal(teacher.params["block0.conv.weight"]):
            return index
    return None


def test_an_image_index_has_the_same_distinct_teachers_for_all_classes(
    bench: Any, seen: Seen, member: Callable[[int], Mapping[str, Tensor]]
) -> None:
    work = bench.work(**BRIEF, images_per_class=4, matcher={"models_per_image": 3})
    bench.run("a", work)

    # two chunks of classes, each with four images of two outer loops
    used = [tuple(which(teacher, member) for teacher in teachers) for teachers, _, _ in seen]
    by_image = [used[2 * image] for image in range(4)]
    assert used == [drawn for drawn in by_image for _ in range(2)] * 2
    assert all(len({*drawn}) == 3 and None not in drawn for drawn in by_image)
    assert len({*by_image}) > 1
    rows = [work.schedule.row(row).member for row in work.rows]
    assert [index for drawn in by_image for index in drawn] == rows


def test_all_networks_of_a_small_pool_are_used_for_each_image() -> None:
    schedule = Schedule(seed=(0,), members=4, perturbation={"kind": "none"}, apart=4)

    for image in range(20):
        assert {schedule.row(4 * image + j).member for j in range(4)} == {0, 1, 2, 3}


def test_members_of_an_image_are_uniform() -> None:
    schedule = Schedule(seed=(0,), members=5, perturbation={"kind": "none"}, apart=2)
    pairs = [(schedule.row(2 * i).member, schedule.row(2 * i + 1).member) for i in range(4000)]

    counts = [pairs.count((a, b)) for a in range(5) for b in range(5) if a != b]
    # 20 ordered pairs, 200 expected of each; five deviations are 5 sqrt(4000 * .05 * .95) = 69
    assert all(abs(count - 200) < 69 for count in counts)


def test_labels_are_global_and_one_draw_serves_a_batch(bench: Any, seen: Seen) -> None:
    crops = {"kind": "imagenet", "jitter": 0.0, "lighting": 0.0, "min_area": 0.2}
    start = {"init": {"kind": "real", "draw": "first"}, "images_per_class": 1}
    bench.run("a", bench.work(**BRIEF, **start, matching_augmentation=crops))

    assert [labels.tolist() for _, _, labels in seen] == [[0, 1, 2]] * 2 + [[3, 4]] * 2


def test_images_that_are_equal_are_seen_equal(bench: Any, seen: Seen, inputs: Any) -> None:
    """Crop, flip and roll are those of the batch and not of an image."""
    crops = {"kind": "imagenet", "jitter": 0.5, "lighting": 0.1, "min_area": 0.2}
    grey = {"update": {"kind": "adam", "learning_rate": 1e-9}, "init": {"kind": "noise"}}
    work = bench.work(**BRIEF, **grey, matching_augmentation=crops)
    plain = Recovery.fresh

    def alike(self: Recovery, images: Tensor) -> Any:
        return plain(self, images[:1].expand_as(images).clone())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recovery, "fresh", alike)
        bench.run("a", work)

    views = seen[0][1]
    torch.testing.assert_close(views[0], views[2], rtol=0, atol=1e-12)
    assert not seen[0][1].equal(seen[1][1])


def test_images_stay_where_pixels_are_valid(bench: Any) -> None:
    images = bench.run(
        "a", bench.work(update={"kind": "adam", "learning_rate": 5.0, "clamp": "every_step"})
    ).images
    low = torch.tensor([-0.4 / 0.2, -0.5 / 0.3, -0.45 / 0.25], dtype=torch.float64)
    high = torch.tensor([0.6 / 0.2, 0.5 / 0.3, 0.55 / 0.25], dtype=torch.float64)

    by_channel = images.transpose(0, 2).flatten(1)
    torch.testing.assert_close(by_channel.amin(1), low, rtol=1e-12, atol=0)
    torch.testing.assert_close(by_channel.amax(1), high, rtol=1e-12, atol=0)


def test_the_best_images_are_those_that_had_the_smallest_loss(bench: Any) -> None:
    """At this rate the loss goes up again, and the best images are none of the ends."""
    wild = {"update": {"kind": "adam", "learning_rate": 3.0}, "loops": None}
    alone = {"classes_per_batch": 5, "roll": None}
    settings = {**wild, "images_per_class": 1, "stop": 7}
    kept = bench.run("kept", bench.work(**settings, matcher={**alone, "keep": "best"}))
    least = min(range(7), key=kept.losses.__getitem__)
    assert 0 < least < 6

    before = bench.run("before", bench.work(**{**settings, "stop": least}, matcher=alone))
    assert kept.images.equal(before.images)
    assert kept.state["least"].unique().item() == kept.losses[least]


def test_averages_are_those_of_the_images_after_each_loop(bench: Any) -> None:
    update = {"kind": "adam", "learning_rate": 0.3}
    averaged = bench.work(update={**update, "averaging": 0.75}, loops=None, stop=3)
    images = [
        bench.run(f"to{n}", bench.work(update=update, loops=None, stop=n)).images for n in (1, 2, 3)
    ]
    none = bench.run(
        "none", bench.work(update={**update, "learning_rate": 1e-12}, loops=None, stop=1)
    )

    expected = none.images
    for after in images:
        expected = 0.75 * expected + 0.25 * after
    ours = bench.run("ours", averaged)
    # the first images are known to 1e-12: a step that small
    torch.testing.assert_close(ours.images, expected, rtol=0, atol=1e-11)
    assert ours.state["images"].equal(images[-1])


def test_networks_are_perturbed_once_an_image_and_keep_their_statistics(
    bench: Any, seen: Seen, member: Callable[[int], Mapping[str, Tensor]]
) -> None:
    work = bench.work(**BRIEF, perturbation=PERTURBED)
    bench.run("a", work)

    for image in range(2):
        for place in range(2):
            row = work.schedule.row(2 * image + place)
            stored = member(row.member)
            (first, _, _), (second, _, _) = seen[2 * image], seen[2 * image + 1]
            params = {name: stored[name] for name in first[place].params}
            moved = perturb(params, row)
            assert not moved["classifier.weight"].equal(params["classifier.weight"])
            for teachers in (first, second):
                assert teachers[place].params["classifier.weight"].equal(moved["classifier.weight"])
                statistics = teachers[place].statistics
                assert all(statistics[name].equal(stored[name]) for name in statistics)


def test_every_cell_of_a_multi_formation_is_seen_with_its_class(bench: Any, seen: Seen) -> None:
    shape = {"kind": "multi_formation", "factor": 2, "space": "normalised"}
    bench.run("a", bench.work(**BRIEF, parameterization=shape, images_per_class=1))

    _, views, labels = seen[0]
    assert len(views) == 12
    assert labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4


def test_an_image_is_cut_as_the_formation_of_its_whole_class_cuts_it(
    bench: Any, seen: Seen
) -> None:
    shape = {"kind": "multi_formation", "factor": 2, "decode": "bound", "space": "normalised"}
    brief = {"stop": 1, "loops": 1, "matcher": {"models_per_image": 1, "classes_per_batch": 5}}
    bench.run("a", bench.work(**brief, parameterization=shape, images_per_class=35))

    # 35 images, and 128 - 35 more views: 23 are cut in four, and 12 stay whole
    assert [len(labels) // 5 for _, _, labels in seen] == [4] * 23 + [1] * 12


def test_one_network_an_input_is_a_pool_too(bench: Any, tmp_path: Path, inputs: Any) -> None:
    for index in range(2):
        folder = tmp_path / f"last{index}"
        folder.mkdir()
        save_file(
            load_file(inputs[f"pool/{index}"] / "epoch-3.safetensors"),
            folder / "network.safetensors",
        )
    whole = bench.run("snapshots", bench.work(**BRIEF, record=(3,), members=2))
    site = bench.site("last")
    site.inputs = {**site.inputs, **{f"pool/{i}": tmp_path / f"last{i}" for i in range(2)}}

    assert bench.run_at(site, bench.work(**BRIEF, record=None, members=2)).images.equal(
        whole.images
    )


def test_progress_counts_outer_loops_of_all_batches(bench: Any) -> None:
    outcome = bench.run("a", bench.work(**BRIEF))

    assert outcome.progress[-1] == (8, 8, "outer loops of batches")
    assert outcome.metrics == {
        "outer_loops": 2,
        "classes": 5,
        "images": 10,
        "loss": outcome.losses[-1],
    }


def test_images_learned_in_pixels_are_fed_normalised(bench: Any, seen: Seen) -> None:
    shape = {"kind": "pixels", "space": "pixel"}
    real = {"init": {"kind": "real", "draw": "first"}}
    bench.run("pixels", bench.work(**BRIEF, **real, parameterization=shape))
    bench.run("normalised", bench.work(**BRIEF, **real))

    # the same real images, through one rounding more
    torch.testing.assert_close(seen[0][1], seen[8][1], rtol=0, atol=1e-13)


def test_inner_steps_are_steps_of_the_same_course(bench: Any) -> None:
    """With no draws but teachers, two loops of two steps are four loops of one."""
    still = {"roll": None}
    two = bench.run("two", bench.work(stop=2, loops=2, inner_steps=2, matcher=still))
    four = bench.run("four", bench.work(stop=4, loops=4, matcher=still))

    assert two.images.equal(four.images)
    assert two.losses == pytest.approx([sum(four.losses[:2]) / 2, sum(four.losses[2:]) / 2])


def test_images_may_be_limited_at_the_start_of_outer_loops_alone(bench: Any, seen: Seen) -> None:
    update = {"kind": "adam", "learning_rate": 3.0, "clamp": "outer_loop"}
    ended = bench.run("a", bench.work(**BRIEF, update=update, matcher={"roll": None})).images

    bound = 0.6 / 0.2  # of the first channel
    assert max(views[:, 0].max().item() for _, views, _ in seen) <= bound * (1 + 1e-12)
    assert ended[:, :, 0].max() > bound


def test_images_that_are_not_finite_are_told_with_their_batch(bench: Any) -> None:
    burst = bench.work(update={"learning_rate": 1e200, "clock": "joint"}, loops=None)

    with pytest.raises(Diverged, match=r"image 0 of classes 0\.\.2 .* smaller"):
        bench.run("a", burst)


def test_a_network_without_batch_norm_is_refused(bench: Any) -> None:
    plain = ConvNetSpec(kind="convnet", depth=2, width=4)

    with pytest.raises(BadJob, match="no batch norm"):
        bench.run("a", bench.work(**BRIEF, network=plain))


def test_another_schedule_than_that_of_the_plan_is_refused(bench: Any) -> None:
    work = bench.work(**BRIEF).model_copy(update={"schedule_digest": "f" * 64})

    with pytest.raises(BadJob, match="is not the one of the plan"):
        bench.run("a", work)


def test_more_networks_than_a_plan_may_list_are_refused_before_they_are_drawn(bench: Any) -> None:
    work = bench.work(**BRIEF)
    matcher = work.matcher.model_copy(update={"models_per_image": 10**9})

    with pytest.raises(BadJob, match="2,000,000,000 networks are drawn: 100,000 are the most"):
        bench.run("a", work.model_copy(update={"matcher": matcher}))


@pytest.mark.gpu
def test_images_recovered_on_an_accelerator_are_those_of_the_cpu(bench: Any) -> None:
    work = bench.work(matcher={"keep": "best", "total_variation": 1e-3, "l2": 1e-3})
    site = bench.site("cuda")
    site.device = torch.device("cuda")

    # float64 on both devices; Adam divides by the root of small second moments
    torch.testing.assert_close(
        bench.run_at(site, work).images, bench.run("cpu", work).images, rtol=1e-6, atol=1e-8
    )
