"""Trajectory matching as a task: against MTT written out plainly, torn, continued, and gone wrong.

The oracle is one `nn.Module`, one `torch.optim.SGD` for each thing that is learned, and autograd,
in float64; of the runners it takes the laws of draws, views and perturbed starts, which have
oracles of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from plain_augmentation import augmented
from plain_distillation import Net, seeded
from safetensors.torch import load_file, save_file
from torch import Tensor

from ddspec.spec.network import ConvNetSpec
from ddspec.wire.schedule import Schedule
from ddspec.wire.work import DistillWork, PretrainWork
from ddspec_runners import load_synthetic
from ddspec_runners.augment.make import make_policy
from ddspec_runners.data.prepared import PreparedSplit
from ddspec_runners.distillation.assemble import assemble
from ddspec_runners.faults import BadJob, Diverged
from ddspec_runners.parameterization.make import make_parameterization
from ddspec_runners.pools.perturb import perturb
from ddspec_runners.site import Site, StopRequested
from ddspec_runners.tasks import pretrain

EXPERTS, EPOCHS, STARTS, COVERED = 2, 4, 3, 2
NETWORK = ConvNetSpec(kind="convnet", depth=2, width=4)
LINEAR, LOG = {"law": "linear"}, {"law": "log"}
DSA = {"kind": "dsa"}
NOISE = {
    "kind": "filter_gaussian",
    "directions": 1,
    "coefficient": {"law": "uniform_signed", "low": 0.01, "high": 0.09},
}


@pytest.fixture(scope="module")
def experts(
    inputs: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """Folders of the tiny split and of runs that were recorded after every epoch."""
    root = tmp_path_factory.mktemp("experts")
    for index in range(EXPERTS):
        work = PretrainWork(
            network=NETWORK,
            epochs=EPOCHS,
            batch=8,
            optimizer={"learning_rate": 0.05, "momentum": 0.0, "weight_decay": 0.0},
            decay=None,
            augmentation={"kind": "none"},
            cutmix=0.0,
            seed=(7, "pool", index),
            precision="float64",
            record=tuple(range(EPOCHS + 1)),
        )
        output, scratch = root / f"expert{index}", root / f"scratch{index}"
        output.mkdir()
        scratch.mkdir()
        pretrain.run(work, Site("1" * 64, {"train": inputs["train"]}, output, scratch))
    runs = {f"pool/{index}": root / f"expert{index}" for index in range(EXPERTS)}
    return {"train": inputs["train"], **runs}


@pytest.fixture
def mtt(bench: Any, experts: Mapping[str, Path]) -> Any:
    """Return the bench with experts."""
    return replace(bench, inputs=experts)


def following(bench: Any, **runs: Path) -> Any:
    """Return the bench with other experts, `pool0` and `pool1`."""
    own = {name.replace("pool", "pool/"): folder for name, folder in runs.items()}
    return replace(bench, inputs={**bench.inputs, **own})


def work(
    *,
    stop: int = 3,
    inner: Mapping[str, Any] | None = None,
    learned: Mapping[str, Any] | None = None,
    gradient: str = "unrolled",
    perturbation: Mapping[str, Any] | None = None,
    **changes: Any,
) -> DistillWork:
    """Return a small work of trajectory matching; `learned` is what is set of the learned rate."""
    rate = None if learned is None else {"learning_rate": 1e-3, **learned}
    schedule = Schedule(
        seed=(7, "schedule"),
        members=EXPERTS,
        perturbation=perturbation or {"kind": "none"},
        starts=STARTS,
    )
    plain: dict[str, Any] = {
        "network": NETWORK,
        "images_per_class": 2,
        "start": 0,
        "stop": stop,
        "inner_steps": 1,
        "inner": {
            "kind": "unrolled",
            "steps": 4,
            "learning_rate": 0.05,
            "learned": rate,
            **(inner or {}),
        },
        "matcher": {
            "kind": "trajectory",
            "expert_epochs": COVERED,
            "max_start": STARTS,
            "gradient": gradient,
        },
        "matching_augmentation": {"kind": "none"},
        "training_augmentation": {"kind": "none"},
        "cutmix": 0.0,
        "parameterization": {"kind": "pixels", "space": "normalised"},
        "init": {"kind": "real"},
        "update": {"learning_rate": 5.0, "clock": "joint"},
        "seed": (7, "distill"),
        "precision": "float64",
        **changes,
    }
    digest = schedule.digest(plain["start"], plain["stop"])
    return DistillWork.model_validate({"schedule": schedule, "schedule_digest": digest, **plain})


# --- the oracle -----------------------------------------------------------------------------------


class Plain:
    """MTT's loop for one work; TESLA's labels of experts where the work has them."""

    def __init__(self, work: DistillWork, inputs: Mapping[str, Path]) -> None:
        self.work, self.inputs = work, inputs
        split = PreparedSplit.open(inputs["train"])
        self.split, self.classes, self.size = split, len(split.classes), split.card.size
        self.shape = make_parameterization(work.parameterization, mean=split.mean, std=split.std)
        self.policy = make_policy(work.training_augmentation)

    def start(self) -> Tensor:
        rows = []
        for c in range(self.classes):
            own = self.split.pixels(self.split.of_class(c), dtype=torch.float64)
            order = torch.randperm(len(own), generator=seeded(*self.work.seed, "init", c))
            rows.append(own[order[: self.work.images_per_class]])
        pixels = torch.stack(rows)
        return (
            self.split.normalise(pixels) if self.work.parameterization.space != "pixel" else pixels
        )

    def network(self, stored: Mapping[str, Tensor]) -> Net:
        return Net(NETWORK, 3, self.size, self.classes, stored)

    def views(self, images: Tensor) -> Tensor:
        return self.shape.normalise(self.shape.decode(images)).flatten(0, 1)

    def slices(self, outer: int, count: int) -> Iterator[Tensor]:
        batch = self.work.inner.batch or count
        if batch >= count:
            while True:
                yield torch.arange(count)
        epoch = 0
        while True:
            order = torch.randperm(
                count, generator=seeded(*self.work.seed, "student", outer, epoch)
            )
            yield from order.split(batch)
            epoch += 1

    def loss(
        self, net: Net, views: Tensor, labels: Tensor, rate: Tensor, outer: int, start: Tensor
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        theta, steps = start, []
        for step, rows in zip(
            range(self.work.inner.steps), self.slices(outer, len(views)), strict=False
        ):
            rng = seeded(*self.work.seed, "student-augment", outer, step)
            draws = self.policy.draw(len(rows), self.size, rng, shared=False)
            seen = augmented(views[rows], self.work.training_augmentation, draws)
            logits = torch.func.functional_call(net, unflat(net, theta), seen)
            shares = F.log_softmax(logits, 1)
            (slope,) = torch.autograd.grad(
                -(labels[rows] * shares).sum(1).mean(), theta, create_graph=True
            )
            steps.append((theta, slope))
            theta = theta - rate * slope
        return theta, steps

    def outer_loops(self) -> Iterator[tuple[float, Tensor, Tensor, float]]:
        """Yield loss, images, labels and rate after each outer loop."""
        work, n = self.work, self.work.images_per_class
        images = self.start().requires_grad_()
        hard = torch.eye(self.classes, dtype=torch.float64).repeat_interleave(n, 0)
        logits = (hard * torch.tensor(99.0 * (self.classes - 1)).double().log()).requires_grad_()
        rate = torch.tensor(work.inner.learning_rate, dtype=torch.float64, requires_grad=True)
        free = rate.log().detach().requires_grad_()
        law = work.inner.learned
        optimisers = [torch.optim.SGD([images], work.update.learning_rate, momentum=0.5)]
        if law is not None:
            own = free if law.law == "log" else rate
            optimisers.append(torch.optim.SGD([own], law.learning_rate, momentum=law.momentum))
        kind = "hard" if work.labels is None else work.labels.kind
        if kind == "learned":
            spec = work.labels
            optimisers.append(torch.optim.SGD([logits], spec.learning_rate, momentum=spec.momentum))
        for outer in range(work.stop):
            row = work.schedule.row(outer)
            folder = self.inputs[f"pool/{row.member}"]
            begin, end = (
                load_file(folder / f"epoch-{epoch}.safetensors")
                for epoch in (row.start, row.start + COVERED)
            )
            net = self.network(begin)
            goal, own_start = (flat(net, self.network(stored)) for stored in (end, begin))
            start = flat(net, self.network(perturb(begin, row)))
            now = free.exp() if law is not None and law.law == "log" else rate
            labels = {"hard": hard, "learned": logits.softmax(1)}.get(kind)
            if labels is None:
                with torch.no_grad():
                    labels = self.network(end)(self.shape.normalise(images).flatten(0, 1))
                    labels = labels.softmax(1)
            of_view = self.shape.labels(torch.arange(len(hard)).view(-1, n)).flatten()
            last, _ = self.loss(
                net, self.views(images), labels[of_view], now, outer, start.requires_grad_()
            )
            loss = (last - goal).square().sum() / (own_start - goal).square().sum()
            for optimiser in optimisers:
                optimiser.zero_grad()
            loss.backward()
            for optimiser in optimisers:
                optimiser.step()
            after = free.exp() if law is not None and law.law == "log" else rate
            kept = logits if kind == "learned" else labels
            yield loss.item(), images.detach().clone(), kept.detach().clone(), after.item()


def flat(like: Net, net: Net) -> Tensor:
    own = dict(net.named_parameters())
    return torch.cat([own[name].detach().reshape(-1) for name, _ in like.named_parameters()])


def unflat(net: Net, theta: Tensor) -> dict[str, Tensor]:
    named, done = {}, 0
    for name, own in net.named_parameters():
        named[name] = theta[done : done + own.numel()].view_as(own)
        done += own.numel()
    return named


CASES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "a linear rate": {"learned": LINEAR},
    "the rate's logarithm": {"learned": LOG},
    "slices of the set": {"inner": {"batch": 4}},
    "one image a step": {"inner": {"batch": 1, "steps": 8}},
    "augmented": {"training_augmentation": DSA, "inner": {"batch": 4}},
    "views": {
        "parameterization": {"kind": "multi_formation", "factor": 2},
        "inner": {"batch": 7},
        "training_augmentation": DSA,
    },
    "pixels": {"parameterization": {"kind": "pixels", "space": "pixel"}},
    "learned labels": {"labels": {"kind": "learned", "learning_rate": 10.0}, "learned": LOG},
    "labels of experts": {"labels": {"kind": "expert"}, "inner": {"batch": 4}},
    "perturbed starts": {"perturbation": NOISE, "learned": LINEAR},
}


@pytest.mark.parametrize("gradient", ["unrolled", "recomputed"])
@pytest.mark.parametrize("name", CASES)
def test_the_task_does_what_the_paper_says(mtt: Any, name: str, gradient: str) -> None:
    told = work(gradient=gradient, **CASES[name])
    expected = list(Plain(told, mtt.inputs).outer_loops())

    found = mtt.run(name.replace(" ", "-"), told)

    losses, images, labels, rate = zip(*expected, strict=True)
    # three loops of four steps: some 1e5 roundings of 1e-16, at most doubled by every step
    assert found.losses == pytest.approx(list(losses), rel=1e-9)
    movement = (images[-1] - Plain(told, mtt.inputs).start()).norm()
    assert movement > 1e-3
    assert (found.images - images[-1].view_as(found.images)).norm() <= 1e-8 * movement
    stored = load_file(found.folder / "synthetic.safetensors")
    if told.labels is not None:
        assert stored["soft_labels"].flatten(0, 1).sub(labels[-1]).abs().max() < 1e-9
    if told.inner.learned is not None:
        lines = (found.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["learning_rate"] for line in lines] == pytest.approx(
            list(rate), rel=1e-9
        )
        assert rate[-1] != pytest.approx(0.05, rel=1e-6)


def test_teslas_images_are_other_ones(mtt: Any) -> None:
    exact = mtt.run("exact", work(gradient="recomputed", inner={"steps": 8}))

    found = mtt.run("tesla", work(gradient="tesla", inner={"steps": 8}))

    assert found.losses[0] == pytest.approx(exact.losses[0], rel=1e-12)
    assert not found.images.allclose(exact.images, rtol=1e-3)


# --- starts ---------------------------------------------------------------------------------------


def test_students_start_before_the_last_epoch_that_is_allowed(mtt: Any) -> None:
    schedule = work(stop=3).schedule

    starts = {schedule.row(outer).start for outer in range(200)}

    assert starts == set(range(STARTS))
    for epoch in range(STARTS + COVERED):
        assert (mtt.inputs["pool/0"] / f"epoch-{epoch}.safetensors").is_file()


def test_the_movement_of_a_perturbed_start_is_measured_against_the_experts_own(mtt: Any) -> None:
    told = work(stop=1, perturbation=NOISE, inner={"learning_rate": 1e-12})
    row = told.schedule.row(0)
    folder = mtt.inputs[f"pool/{row.member}"]
    begin = load_file(folder / f"epoch-{row.start}.safetensors")
    end = load_file(folder / f"epoch-{row.start + COVERED}.safetensors")
    shifted = perturb(begin, row)

    found = mtt.run("still", told)

    gap = sum((shifted[name] - end[name]).square().sum() for name in end)
    own = sum((begin[name] - end[name]).square().sum() for name in end)
    assert found.losses == [pytest.approx((gap / own).item(), rel=1e-8)]
    assert found.losses[0] > 1


# --- resuming -------------------------------------------------------------------------------------

EVERYTHING: dict[str, Any] = {
    "learned": LOG,
    "labels": {"kind": "learned", "learning_rate": 10.0},
    "training_augmentation": DSA,
    "inner": {"batch": 4},
    "cutmix": 0.5,
    "precision": "float32",
    "update": {"learning_rate": 5.0, "clock": "joint", "averaging": 0.9},
    "perturbation": NOISE,
}
FILES = ("synthetic.safetensors", "state.safetensors", "metrics.jsonl", "card.json")


@pytest.mark.parametrize("gradient", ["unrolled", "recomputed", "tesla"])
@pytest.mark.parametrize("after", [1, 2])
def test_a_torn_run_goes_on_bit_equal(mtt: Any, gradient: str, after: int) -> None:
    told = work(gradient=gradient, **EVERYTHING)
    whole = mtt.run("whole", told)
    with pytest.raises(StopRequested):
        mtt.run("torn", told, stop_at=after)

    resumed = mtt.run("torn", told)

    for name in FILES:
        assert (resumed.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


@pytest.mark.parametrize("labels", [{"kind": "learned", "learning_rate": 10.0}, {"kind": "expert"}])
def test_segments_end_with_the_bits_of_one_run(mtt: Any, labels: dict[str, Any]) -> None:
    told = {**EVERYTHING, "labels": labels}
    whole = mtt.run("whole", work(**told))
    first = mtt.run("first", work(**told, stop=2))

    second = mtt.run("second", work(**told, start=2), previous=first.folder)

    for name in ("synthetic.safetensors", "state.safetensors", "card.json"):
        assert (second.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name


def test_fewer_loops_are_the_beginning_of_more(mtt: Any) -> None:
    more = mtt.run("more", work(learned=LOG, stop=4))

    fewer = mtt.run("fewer", work(learned=LOG, stop=2))

    assert fewer.losses == more.losses[:2]


# --- what is published ----------------------------------------------------------------------------


def test_a_set_says_what_was_learned_with_it(mtt: Any) -> None:
    found = mtt.run("set", work(**EVERYTHING))

    loaded = load_synthetic(found.folder)
    state = load_file(found.folder / "state.safetensors")
    assert loaded.card.labels == "learned"
    assert loaded.card.learned_lr == state["rate"].item() == found.metrics["learning_rate"]
    assert found.images.equal(state["average"])
    assert not found.images.equal(state["images"])


def test_a_rate_that_is_not_learned_is_neither_published_nor_recorded(mtt: Any) -> None:
    found = mtt.run("set", work())

    assert load_synthetic(found.folder).card.learned_lr is None
    assert "learning_rate" not in found.metrics
    assert set(load_file(found.folder / "state.safetensors")) == {"images", "velocity"}


# --- images that are hard to learn from -----------------------------------------------------------


@pytest.mark.parametrize("gradient", ["unrolled", "recomputed", "tesla"])
def test_noise_can_be_learned_from(mtt: Any, gradient: str) -> None:
    found = mtt.run("noise", work(init={"kind": "noise"}, gradient=gradient, learned=LOG))

    assert found.images.isfinite().all()


def test_experts_of_half_the_bits_are_followed(mtt: Any, tmp_path: Path) -> None:
    whole = mtt.run("wide", work())
    for index in range(EXPERTS):
        source, folder = mtt.inputs[f"pool/{index}"], tmp_path / f"narrow{index}"
        folder.mkdir()
        for path in source.glob("epoch-*.safetensors"):
            narrow = {name: value.bfloat16() for name, value in load_file(path).items()}
            save_file(narrow, folder / path.name)
        mtt = following(mtt, **{f"pool{index}": folder})

    found = mtt.run("narrow", work())

    assert found.images.dtype == torch.float64
    # parameters are off by 2^-9 of themselves, and an expert's movement is smaller than they are
    assert found.losses == pytest.approx(whole.losses, rel=0.2)
    assert found.losses != whole.losses


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param(
            {"learned": {"law": "linear", "learning_rate": 1e3}},
            r"rate of the student became -?\d.*`law: log`.*outer loop \d",
            id="a linear rate that turns negative",
        ),
        pytest.param(
            {"inner": {"learning_rate": 1e150}},
            r"trajectory loss is (nan|inf).*`inner.learning_rate`.*outer loop 0",
            id="a student that explodes",
        ),
        pytest.param(
            {"update": {"learning_rate": 1e300, "clock": "joint"}},
            "outer loop [01]",
            id="images that explode",
        ),
    ],
)
def test_numbers_that_diverge_stop_the_run_before_anything_is_published(
    mtt: Any, changes: dict[str, Any], message: str
) -> None:
    site = mtt.site("wild")

    with pytest.raises(Diverged, match=message):
        mtt.run_at(site, work(**changes, stop=40))

    assert not (site.output / "synthetic.safetensors").exists()


def test_a_logarithmic_rate_stays_positive_where_a_linear_one_does_not(mtt: Any) -> None:
    told = {"learned": {"law": "log", "learning_rate": 1.0}, "update": {"learning_rate": 1e-9}}
    told["update"]["clock"] = "joint"

    found = mtt.run("log", work(**told, stop=6))

    assert found.metrics["learning_rate"] > 0


def test_experts_that_are_missing_or_of_another_network_are_refused(
    mtt: Any, tmp_path: Path
) -> None:
    empty, foreign = tmp_path / "empty", tmp_path / "foreign"
    empty.mkdir()
    foreign.mkdir()
    for epoch in range(EPOCHS + 1):
        save_file({"other.weight": torch.zeros(2)}, foreign / f"epoch-{epoch}.safetensors")

    with pytest.raises(BadJob, match=r"no epoch-0\.safetensors in .*empty"):
        following(mtt, pool1=empty).run("missing", work())
    with pytest.raises(BadJob, match="holds another network"):
        following(mtt, pool0=foreign, pool1=foreign).run("foreign", work())
    for path in foreign.glob("epoch-*"):
        path.write_bytes(b"no tensors")
    with pytest.raises(BadJob, match="cannot be read"):
        following(mtt, pool0=foreign, pool1=foreign).run("damaged", work())


def test_an_expert_that_does_not_move_is_refused(mtt: Any, tmp_path: Path) -> None:
    source = mtt.inputs["pool/0"] / "epoch-0.safetensors"
    for epoch in range(EPOCHS + 1):
        (tmp_path / f"epoch-{epoch}.safetensors").write_bytes(source.read_bytes())

    with pytest.raises(BadJob, match="does not move"):
        following(mtt, pool0=tmp_path, pool1=tmp_path).run("still", work())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"inner_steps": 2}, "one update", id="several updates a loop"),
        pytest.param({"inner": {"kind": "frozen"}}, "one update", id="no student"),
        pytest.param({"classes": {"start": 0, "stop": 1, "of": 3}}, "no shards", id="a shard"),
        pytest.param({"update": {"learning_rate": 5.0}}, "shared clock", id="a shared clock"),
    ],
)
def test_works_that_make_no_sense_are_refused(
    mtt: Any, changes: dict[str, Any], message: str
) -> None:
    told = work().model_dump(mode="json") | changes

    with pytest.raises(BadJob, match=message):
        assemble(DistillWork.model_validate(told), mtt.site("odd"))


# --- accelerators ---------------------------------------------------------------------------------

ON_DEVICES = {**CASES, "everything": {**EVERYTHING, "precision": "float64"}}


@pytest.mark.gpu
@pytest.mark.parametrize("gradient", ["unrolled", "recomputed", "tesla"])
@pytest.mark.parametrize("name", ON_DEVICES)
def test_a_gpu_gives_the_images_of_the_cpu_in_float64(mtt: Any, name: str, gradient: str) -> None:
    told = work(gradient=gradient, **ON_DEVICES[name])
    expected = mtt.run("cpu", told)
    site = mtt.site("gpu")
    site.device = torch.device("cuda")

    found = mtt.run_at(site, told)

    # as for the oracle: only the order of float64 sums differs
    assert torch.allclose(found.images, expected.images, rtol=0, atol=1e-8)
    assert found.losses == pytest.approx(expected.losses, rel=1e-8)
