"""What a distillation refuses, and how it says so."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ddspec_runners.faults import BadJob, Diverged
from ddspec_runners.site import CHECKPOINT, StopRequested

REFUSED = {
    "another schedule": ({"schedule_digest": "0" * 64}, "is not the one of the plan"),
    "no outer loops": ({"start": 2, "stop": 2}, "outer loops 2..1 are none"),
    "an unresolved learning rate": (
        {"update": {"learning_rate": 0.1, "scaling": "idc"}},
        "must be resolved",
    ),
    "a shard of another number of classes": (
        {"classes": {"start": 0, "stop": 2, "of": 4}},
        "classes 0..1 of 4 are no shard of 3 classes",
    ),
    "more images than a class has": (
        {"images_per_class": 3},
        "init `mix` needs 12 real images of class 0, which has 11",
    ),
}


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_a_contradictory_work_is_a_bad_job(
    bench: Any, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadJob, match=message):
        bench.run("a", bench.work(**changes))


def test_a_missing_pool_member_is_named(bench: Any) -> None:
    site = bench.site("a")
    site.inputs = {**bench.inputs, "pool/1": bench.root / "nowhere"}

    with pytest.raises(BadJob, match=r"no network.safetensors in .*nowhere"):
        bench.run_at(site, bench.work())


def test_a_pool_of_another_network_is_refused(bench: Any) -> None:
    wider = {"kind": "convnet", "depth": 2, "width": 5}

    with pytest.raises(BadJob, match=r"another network: block0.conv.weight is missing or of"):
        bench.run("a", bench.work(network=wider))


def test_a_previous_state_of_another_shape_is_refused(bench: Any) -> None:
    previous = bench.root / "previous"
    previous.mkdir()
    wrong = torch.zeros(3, 1, 3, 8, 8, dtype=torch.float64)
    save_file({"images": wrong, "velocity": wrong.clone()}, previous / "state.safetensors")

    with pytest.raises(BadJob, match=r"`images` in .* is not \(3, 2, 3, 8, 8\) at precision"):
        bench.run("a", bench.work(start=1), previous=previous)


def test_diverging_images_are_located_and_the_last_checkpoint_stays(bench: Any) -> None:
    fine = bench.work(stop=3)
    wild = bench.work(stop=3, update={"learning_rate": 1e200})
    with pytest.raises(StopRequested):
        bench.run("a", fine, stop_at=1)
    before = (bench.root / "a/scratch" / CHECKPOINT).read_bytes()

    with pytest.raises(Diverged, match=r"outer loop 1, inner step [012], class [012] "):
        bench.run("a", wild)
    assert (bench.root / "a/scratch" / CHECKPOINT).read_bytes() == before
    assert not (bench.root / "a/output/synthetic.safetensors").exists()


def test_images_that_overflow_after_the_last_loss_are_located(bench: Any) -> None:
    # The loss is taken before the images move, and 1e60 is infinite in float32.
    update = {"learning_rate": 1e60, "clock": "per_class"}
    work = bench.work(inner_steps=1, update=update, precision="float32")

    with pytest.raises(Diverged, match=r"outer loop 0, inner step 0, class 0 "):
        bench.run("a", work)


def test_a_damaged_checkpoint_is_set_aside_and_the_run_starts_anew(bench: Any) -> None:
    whole = bench.run("whole", bench.work())
    scratch = bench.root / "torn/scratch"
    scratch.mkdir(parents=True)
    (scratch / CHECKPOINT).write_bytes(b"torn")
    again = bench.run("torn", bench.work())

    assert torch.equal(again.images, whole.images)
