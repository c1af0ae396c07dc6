"""Distribution matching against modules of torch and sums written out, in float64.

The oracle is the loop of DM's paper (equation 6, algorithm 1), its form for batch norm over all
classes, the loss of IDM and the linear kernel on pixels; of the runners it takes the initial
parameters alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ddspec.spec.method import DistributionMatcherSpec
from ddspec.spec.network import ConvNetSpec
from ddspec_runners.faults import BadJob
from ddspec_runners.functional.gradients import image_gradient
from ddspec_runners.matchers import distribution
from ddspec_runners.matchers.distribution import DistributionMatcher
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.make import make_network

CHANNELS, SIZE, CLASSES, WIDTH = 2, 8, 3, 4
LABELS = (2, 0, 1)
REAL, LEARNED = 5, 3


@dataclass(frozen=True)
class Case:
    """A norm, and settings of the matcher."""

    norm: str = "instance"
    settings: Mapping[str, Any] | None = None

    @property
    def spec(self) -> DistributionMatcherSpec:
        return DistributionMatcherSpec.model_validate(
            {"kind": "distribution", **(self.settings or {})}
        )

    @property
    def network(self) -> Network:
        spec = ConvNetSpec.model_validate(
            {"kind": "convnet", "depth": 2, "width": WIDTH, "norm": self.norm}
        )
        return make_network(spec, channels=CHANNELS, size=SIZE, classes=CLASSES)


TERM = {"cross_entropy": {"weight": 50.0}}
CASES = {
    "DM": Case(),
    "DM without norm": Case("none"),
    "DM, batch norm over all classes": Case("batch"),
    "IDM": Case("instance", {"batch_norm": "running", **TERM}),
    "IDM, batch norm": Case("batch", {"batch_norm": "running", **TERM}),
    "classified, by batches": Case(
        "batch", {"cross_entropy": {"weight": 0.5, "by_accuracy": False}}
    ),
    "pixels": Case("batch", {"features": "pixels"}),
}
ACCURACY = 0.625


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(seed: int, n: int) -> list[Tensor]:
    shape = (CLASSES, n, CHANNELS, SIZE, SIZE)
    return list(torch.randn(shape, generator=seeded(seed), dtype=torch.float64))


def params_of(network: Network) -> dict[str, Tensor]:
    return {name: value.double() for name, value in network.init(seeded(4)).items()}


def statistics_of(case: Case) -> dict[str, Tensor] | None:
    """Return running statistics that no batch has, where the case goes by any."""
    if case.spec.batch_norm == "batch":
        return None
    shapes = {name: b.shape for name, b in case.network.buffers().items()}
    rng = seeded(6)
    return {
        name: torch.rand(shape, generator=rng, dtype=torch.float64) / 10 + name.endswith("var")
        for name, shape in shapes.items()
    }


# --- the oracle -----------------------------------------------------------------------------------


class Net(nn.Module):
    """Two blocks of convolution, norm, ReLU and pooling, and a linear layer."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        norms: dict[str, Any] = {
            "instance": lambda: nn.GroupNorm(WIDTH, WIDTH),
            "batch": lambda: nn.BatchNorm2d(WIDTH),
            "none": nn.Identity,
        }
        self.convs = nn.ModuleList(
            [nn.Conv2d(CHANNELS, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)]
        )
        self.norms = nn.ModuleList([norms[case.norm]() for _ in range(2)])
        self.classifier = nn.Linear(WIDTH * (SIZE // 4) ** 2, CLASSES)
        self.double()
        stored = {**params_of(case.network), **(statistics_of(case) or {})}
        with torch.no_grad():
            for i in range(2):
                self._fill(self.convs[i], f"block{i}.conv", stored)
                self._fill(self.norms[i], f"block{i}.norm", stored)
            self._fill(self.classifier, "classifier", stored)
        self.train(statistics_of(case) is None)

    def _fill(self, module: nn.Module, name: str, stored: Mapping[str, Tensor]) -> None:
        for leaf, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if f"{name}.{leaf}" in stored:
                tensor.copy_(stored[f"{name}.{leaf}"])

    def embed(self, x: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = nn.functional.avg_pool2d(torch.relu(norm(conv(x))), 2)
        return x.flatten(1)


def seen(case: Case, net: Net, classes: Sequence[Tensor]) -> list[Tensor]:
    """Return the features of each class: of all in one batch where batches norm, else apart."""
    if case.spec.features == "pixels":
        return [x.flatten(1) for x in classes]
    if case.norm == "batch" and case.spec.batch_norm == "batch":
        return list(net.embed(torch.cat(list(classes))).chunk(len(classes)))
    return [net.embed(x) for x in classes]


def oracle(
    case: Case, real: Sequence[Tensor], learned: Sequence[Tensor]
) -> tuple[list[Tensor], tuple[Tensor, ...]]:
    """Return the loss of each class, and the gradient of their sum in all learned images."""
    net, leaves = Net(case), [x.clone().requires_grad_() for x in learned]
    wanted, given = seen(case, net, real), seen(case, net, leaves)
    term, values = case.spec.cross_entropy, []
    for label, r, s in zip(LABELS, wanted, given, strict=True):
        value = torch.zeros((), dtype=torch.float64)
        for d in range(r.shape[1]):
            difference = sum(x.detach() for x in r[:, d]) / len(r) - sum(s[:, d]) / len(s)
            value = value + difference * difference
        if term is not None:
            shares = net.classifier(s).exp()
            loss = -(shares[:, label] / shares.sum(1)).log().sum() / len(s)
            value = value + loss * term.weight * (ACCURACY if term.by_accuracy else 1)
        values.append(value)
    return values, torch.autograd.grad(sum(values), leaves)


def ours(
    case: Case, real: Sequence[Tensor], learned: Sequence[Tensor], labels: Sequence[int] = LABELS
) -> tuple[Tensor, tuple[Tensor, ...]]:
    matcher = DistributionMatcher(case.spec, case.network)
    accuracy = torch.tensor(ACCURACY, dtype=torch.float64)
    target = matcher.target(params_of(case.network), real, labels, statistics_of(case), accuracy)
    return image_gradient(lambda x: matcher.loss(x, target), learned)


# --- equal, everywhere ----------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_losses_and_image_gradients_are_those_of_the_oracle(case: Case) -> None:
    expected, slopes = oracle(case, images(1, REAL), images(2, LEARNED))
    values, gradients = ours(case, images(1, REAL), images(2, LEARNED))

    # a loss sums 16 or 128 squares of about 1e-2, each right to some 1e-15
    assert values.tolist() == pytest.approx([v.item() for v in expected], rel=1e-10)
    for gradient, slope in zip(gradients, slopes, strict=True):
        assert (gradient - slope).abs().max() <= 1e-10 * slope.abs().max()
        assert slope.flatten(1).abs().amax(1).gt(1e-6).all()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_image_gradients_are_the_slopes_of_the_loss(case: Case) -> None:
    learned, real = images(2, LEARNED), images(1, REAL)
    steps = [1e-6 * step / step.norm() for step in images(3, LEARNED)]
    _, gradients = ours(case, real, learned)
    up, _ = ours(case, real, [x + step for x, step in zip(learned, steps, strict=True)])
    down, _ = ours(case, real, [x - step for x, step in zip(learned, steps, strict=True)])

    # no kink of ReLU lies within 1e-6 of these images; the losses are right to 1e-15 of some 10
    slope = sum((g * step).sum() for g, step in zip(gradients, steps, strict=True))
    assert ((up - down).sum() / 2).item() == pytest.approx(float(slope), rel=1e-5)


@pytest.mark.parametrize("name", ["DM", "DM, batch norm over all classes", "pixels"])
def test_the_same_images_on_both_sides_are_no_distance_apart(name: str) -> None:
    values, gradients = ours(CASES[name], images(1, REAL), images(1, REAL))

    # two sums in one order: nothing is left but what slices of the real side round otherwise
    assert values.max() < 1e-25
    assert max(gradient.abs().max().item() for gradient in gradients) < 1e-14


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_order_of_images_in_a_class_does_not_matter(case: Case) -> None:
    before, _ = ours(case, images(1, REAL), images(2, LEARNED))
    after, _ = ours(
        case, [x.flip(0) for x in images(1, REAL)], [x.flip(0) for x in images(2, LEARNED)]
    )

    assert after.tolist() == pytest.approx(before.tolist(), rel=1e-12)


# --- together, apart, in slices -------------------------------------------------------------------


@pytest.mark.parametrize("name", ["DM", "DM without norm", "IDM", "IDM, batch norm", "pixels"])
def test_classes_in_one_pass_are_those_of_passes_of_their_own(name: str) -> None:
    case, real, learned = CASES[name], images(1, REAL), images(2, LEARNED)
    together, gradients = ours(case, real, learned)

    for k in range(CLASSES):
        value, (gradient,) = ours(case, [real[k]], [learned[k]], [LABELS[k]])
        # the same sums, for kernels that may take another order in another size of batch
        assert value.item() == pytest.approx(together[k].item(), rel=1e-12)
        assert (gradient - gradients[k]).abs().max() <= 1e-12 * gradient.abs().max()


def test_classes_need_not_be_equally_large() -> None:
    real, learned = images(1, REAL), images(2, LEARNED)
    uneven = [real[0][:2], real[1], real[2][:4]], [learned[0], learned[1][:1], learned[2][:2]]
    expected, slopes = oracle(CASES["DM"], *uneven)
    values, gradients = ours(CASES["DM"], *uneven)

    assert values.tolist() == pytest.approx([v.item() for v in expected], rel=1e-10)
    assert all(torch.allclose(g, s, rtol=1e-8) for g, s in zip(gradients, slopes, strict=True))


@pytest.mark.parametrize(
    ("case", "blocks"),
    [
        (Case("instance"), "class"),
        (Case("batch"), "whole"),
        (Case("batch", {"batch_norm": "running"}), "class"),
        (Case("batch", {"features": "pixels"}), "class"),
    ],
    ids=["instance norm", "batch norm", "running statistics", "pixels"],
)
def test_classes_see_each_other_under_batch_norm_alone(case: Case, blocks: str) -> None:
    matcher = DistributionMatcher(case.spec, case.network)
    others = images(7, LEARNED)
    before, _ = ours(case, images(1, REAL), images(2, LEARNED))
    after, _ = ours(case, images(1, REAL), [images(2, LEARNED)[0], *others[1:]])

    assert matcher.blocks == blocks
    assert (before[0].item() == after[0].item()) is (blocks == "class")


@pytest.mark.parametrize("name", ["DM", "IDM", "IDM, batch norm"])
def test_slices_of_a_class_are_the_class(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    whole, slopes = ours(case, images(1, REAL), images(2, LEARNED))
    monkeypatch.setattr(distribution, "SLICE_PIXELS", SIZE * SIZE)
    values, gradients = ours(case, images(1, REAL), images(2, LEARNED))

    assert values.tolist() == pytest.approx(whole.tolist(), rel=1e-12)
    assert all(torch.allclose(g, s, rtol=1e-10) for g, s in zip(gradients, slopes, strict=True))


def test_slices_stay_small_on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    case = CASES["DM"]
    matcher = DistributionMatcher(case.spec, Counting(case.network, sizes))
    monkeypatch.setattr(distribution, "SLICE_PIXELS", 4 * SIZE * SIZE)
    matcher.target(params_of(case.network), images(1, REAL), LABELS)

    assert sizes == [4, 4, 4, 3]


@dataclass(frozen=True)
class Counting:
    """A network that notes how many images it is asked for."""

    network: Network
    sizes: list[int]

    def buffers(self) -> Mapping[str, Tensor]:
        return self.network.buffers()

    def features(self, params: Any, buffers: Any, x: Tensor) -> Tensor:
        self.sizes.append(len(x))
        return self.network.features(params, buffers, x)


# --- the term -------------------------------------------------------------------------------------


def test_a_network_that_is_never_right_leaves_the_distance_alone() -> None:
    case, plain = CASES["IDM"], CASES["DM"]
    matcher = DistributionMatcher(case.spec, case.network)
    nothing = torch.zeros((), dtype=torch.float64)
    target = matcher.target(params_of(case.network), images(1, REAL), LABELS, {}, nothing)
    expected, _ = ours(plain, images(1, REAL), images(2, LEARNED))

    assert matcher.loss(images(2, LEARNED), target).tolist() == pytest.approx(expected.tolist())


def test_an_accuracy_that_nobody_measured_is_asked_for() -> None:
    case = CASES["IDM"]
    matcher = DistributionMatcher(case.spec, case.network)

    with pytest.raises(BadJob, match="accuracy that nobody measures"):
        matcher.target(params_of(case.network), images(1, REAL), LABELS, {}, None)
