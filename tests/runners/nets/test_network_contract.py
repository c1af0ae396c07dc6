"""The promises of `Network`, kept by every architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ddspec.spec.network import ClassicSpec, ConvNetSpec, NetworkSpec, ResNetApSpec, TorchvisionSpec
from ddspec_runners.functional.params import cast
from ddspec_runners.nets.base import Network
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator

CLASSES = 3


@dataclass(frozen=True, slots=True)
class Case:
    spec: NetworkSpec
    channels: int
    size: int

    def make(self) -> Network:
        return make_network(self.spec, channels=self.channels, size=self.size, classes=CLASSES)

    def images(self, count: int = 2) -> Tensor:
        shape = (count, self.channels, self.size, self.size)
        return torch.randn(shape, generator=generator("images"), dtype=torch.float64)


def convnet(**settings: object) -> ConvNetSpec:
    return ConvNetSpec.model_validate({"kind": "convnet", "depth": 2, "width": 8, **settings})


CASES = {
    "convnet-instance": Case(convnet(), 1, 8),
    "convnet-batch": Case(convnet(norm="batch"), 3, 8),
    "convnet-layer": Case(convnet(norm="layer"), 3, 8),
    "convnet-group": Case(convnet(norm="group"), 2, 9),
    "convnet-none": Case(convnet(norm="none"), 1, 28),
    "convnet-max": Case(convnet(pooling="max", activation="swish"), 4, 9),
    "convnet-unpooled": Case(convnet(pooling="none", activation="sigmoid"), 3, 8),
    "convnet-leaky": Case(convnet(activation="leaky_relu"), 3, 8),
    "resnet_ap-small": Case(ResNetApSpec(kind="resnet_ap", stem="small"), 3, 16),
    "resnet_ap-batch": Case(ResNetApSpec(kind="resnet_ap", stem="small", norm="batch"), 1, 17),
    "mlp": Case(ClassicSpec(kind="classic", model="mlp"), 1, 8),
    "lenet": Case(ClassicSpec(kind="classic", model="lenet"), 4, 17),
    "alexnet": Case(ClassicSpec(kind="classic", model="alexnet"), 3, 9),
    "alexnet-batch": Case(ClassicSpec(kind="classic", model="alexnet", norm="batch"), 1, 8),
    "resnet10": Case(ClassicSpec(kind="classic", model="resnet10"), 3, 16),
    "densenet_cifar": Case(ClassicSpec(kind="classic", model="densenet_cifar"), 3, 16),
    "resnet18": Case(TorchvisionSpec(kind="torchvision", model="resnet18"), 3, 64),
    "efficientnet_b0": Case(TorchvisionSpec(kind="torchvision", model="efficientnet_b0"), 1, 64),
}
CONVNETS = [name for name in CASES if name.startswith("convnet")]


def start(case: Case) -> tuple[Network, dict[str, Tensor], dict[str, Tensor]]:
    """Return the network with parameters and running statistics in float64."""
    network = case.make()
    params = doubled(network.init(generator("init")))
    # scales and shifts away from one and zero, so that a test sees them
    params = {
        name: p + 0.1 * torch.randn(p.shape, generator=generator(name), dtype=p.dtype)
        if p.ndim == 1
        else p
        for name, p in params.items()
    }
    return network, params, doubled(network.buffers())


def doubled(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.double() for name, tensor in tensors.items()}


def check_init_depends_on_rng_alone(case: Case) -> None:
    before = torch.random.get_rng_state()
    first = case.make().init(generator("a"))
    second = case.make().init(generator("a"))
    other = case.make().init(generator("b"))

    assert list(first) == list(second) == list(other)
    assert all(first[name].equal(second[name]) for name in first)
    assert not any(first[name].equal(other[name]) for name in first if first[name].ndim == 4)
    assert torch.random.get_rng_state().equal(before)


def check_parameters_start_in_float32_on_the_cpu(case: Case) -> None:
    network = case.make()
    tensors = {**network.init(generator("a")), **network.buffers()}

    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert {tensor.device.type for tensor in tensors.values()} == {"cpu"}
    assert not any(tensor.requires_grad for tensor in tensors.values())


def check_nothing_is_mutated(case: Case) -> None:
    network, params, buffers = start(case)
    x = case.images()
    given = [*params.values(), *buffers.values(), x]
    versions, copies = [t._version for t in given], [t.clone() for t in given]

    network.apply(params, x)
    network.train_step(params, buffers, x)
    network.predict(params, buffers, x)
    network.features(params, buffers, x)
    network.observe(params, buffers, x)
    network.observe(params, None, x)

    assert [t._version for t in given] == versions
    assert all(t.equal(copy) for t, copy in zip(given, copies, strict=True))


def check_no_call_draws_from_the_global_generator(case: Case) -> None:
    network, params, buffers = start(case)
    before = torch.random.get_rng_state()

    network.train_step(params, buffers, case.images())

    assert torch.random.get_rng_state().equal(before)


def check_a_training_step_sees_what_apply_sees(case: Case) -> None:
    network, params, buffers = start(case)
    logits, moved = network.train_step(params, buffers, case.images())

    assert logits.shape == (2, CLASSES)
    assert logits.dtype == torch.float64
    assert logits.equal(network.apply(params, case.images()))
    assert list(moved) == list(buffers)
    assert not any(moved[name].equal(buffers[name]) for name in buffers)


def check_a_prediction_does_not_depend_on_the_batch(case: Case) -> None:
    network, params, buffers = start(case)
    together = network.predict(params, buffers, case.images(3))
    alone = torch.cat([network.predict(params, buffers, x[None]) for x in case.images(3)])

    # other batch sizes sum in other orders: rounding, 1e-16 times some thousand operations
    torch.testing.assert_close(together, alone, rtol=1e-11, atol=1e-11)


def check_a_prediction_is_linear_in_the_features(case: Case) -> None:
    network, params, buffers = start(case)
    *_, weight, bias = params.values()
    features = network.features(params, buffers, case.images())

    assert features.shape == (2, weight.shape[1])
    logits = F.linear(features, weight, bias)
    assert logits.equal(network.predict(params, buffers, case.images()))


def check_a_network_is_observed_as_it_predicts(case: Case) -> None:
    network, params, buffers = start(case)
    seen = network.observe(params, buffers, case.images())

    assert seen.logits.equal(network.predict(params, buffers, case.images()))
    assert seen.features.equal(network.features(params, buffers, case.images()))


def check_without_running_statistics_a_network_is_observed_as_it_applies(case: Case) -> None:
    network, params, _ = start(case)
    seen = network.observe(params, None, case.images())

    assert seen.logits.equal(network.apply(params, case.images()))
    assert F.linear(seen.features, *list(params.values())[-2:]).equal(seen.logits)


def check_observed_moments_are_where_a_training_step_moves_to(case: Case) -> None:
    network, params, buffers = start(case)
    _, moved = network.train_step(params, buffers, case.images())
    seen = network.observe(params, None, case.images())

    assert {f"{name}.running_mean" for name in seen.norms} == {
        name for name in buffers if name.endswith("mean")
    }
    for name, moments in seen.norms.items():
        # from zero, by a tenth of the way; torch sums the mean in another order: 1e-16 a term
        torch.testing.assert_close(
            0.1 * moments.mean, moved[f"{name}.running_mean"], rtol=1e-10, atol=1e-13
        )


def check_every_parameter_is_used(case: Case) -> None:
    network, params, buffers = start(case)
    leaves = {name: p.requires_grad_() for name, p in params.items()}
    logits = network.predict(leaves, buffers, case.images())

    grads = torch.autograd.grad(logits.square().sum(), list(leaves.values()))

    assert all(grad.isfinite().all() for grad in grads)
    assert all(
        grad.abs().sum() > 0 for grad, p in zip(grads, leaves.values(), strict=True) if p.ndim > 1
    )


def check_the_gradient_of_a_gradient_agrees_with_finite_differences(case: Case) -> None:
    network, params, _ = start(case)
    double_gradient_agrees(case, params, network.apply)


def check_a_prediction_has_a_gradient_of_its_gradient(case: Case) -> None:
    network, params, buffers = start(case)
    _, moved = network.train_step(params, buffers, case.images(3))
    # a step moves running statistics by a tenth: these are the batch's own, and signals stay large
    own = {name: b + 10 * (moved[name] - b) for name, b in buffers.items()}
    double_gradient_agrees(case, params, lambda p, x: network.predict(p, own, x))


def double_gradient_agrees(
    case: Case, params: dict[str, Tensor], forward: Callable[[dict[str, Tensor], Tensor], Tensor]
) -> None:
    x, y = case.images(3), torch.tensor([0, 2, 1])
    along = torch.randn(x.shape, generator=generator("along"), dtype=x.dtype)
    weights = {
        n: torch.randn(p.shape, generator=generator("w", n), dtype=p.dtype)
        for n, p in params.items()
    }

    def slope(x: Tensor) -> Tensor:
        """Return a weighted sum of the gradient in the parameters: what matching differentiates."""
        grads = torch.func.grad(lambda p: F.cross_entropy(forward(p, x), y))(params)
        return torch.stack([(weights[n] * grads[n]).sum() for n in params]).sum()

    x.requires_grad_()
    (exact,) = torch.autograd.grad(slope(x), x)
    h = 1e-7
    with torch.no_grad():
        numeric = (slope(x + h * along) - slope(x - h * along)) / (2 * h)

    # Truncation is h^2 = 1e-14 of the third derivative; rounding 1e-14 of the slope (sums of up to
    # 1e7 terms) over h = 1e-7 of it, where the slope is at most 10 derivatives: 1e-6. A kink of a
    # ReLU within h of the images would show as a jump of order 1 / h; with these seeds none is.
    torch.testing.assert_close((exact * along).sum(), numeric, rtol=1e-5, atol=0)


CHECKS = [check for name, check in sorted(globals().items()) if name.startswith("check_")]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__.removeprefix("check_"))
@pytest.mark.parametrize("name", CASES)
def test_network_keeps_its_promises(name: str, check: Callable[[Case], None]) -> None:
    check(CASES[name])


@pytest.mark.parametrize("name", CONVNETS)
def test_an_ensemble_is_the_same_networks_one_by_one(name: str) -> None:
    case = CASES[name]
    network, x, y = case.make(), case.images(), torch.tensor([1, 2])
    members = [doubled(network.init(generator("member", i))) for i in range(2)]
    stacked = {name: torch.stack([m[name] for m in members]) for name in members[0]}

    def gradient(params: dict[str, Tensor]) -> dict[str, Tensor]:
        grads: dict[str, Tensor] = torch.func.grad(
            lambda p: F.cross_entropy(network.apply(p, x), y)
        )(params)
        return grads

    together = torch.func.vmap(gradient)(stacked)
    alone = [gradient(member) for member in members]

    for key, grads in together.items():
        expected = torch.stack([grad[key] for grad in alone])
        torch.testing.assert_close(grads, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.gpu
@pytest.mark.parametrize("name", CASES)
def test_a_network_works_where_its_parameters_are(name: str) -> None:
    network, params, buffers = start(CASES[name])
    x, cuda = CASES[name].images(), torch.device("cuda")

    logits, moved = network.train_step(
        cast(params, device=cuda), cast(buffers, device=cuda), x.to(cuda)
    )

    # float64 on both devices, summed in another order
    torch.testing.assert_close(logits.cpu(), network.apply(params, x), rtol=1e-9, atol=1e-9)
    assert {buffer.device.type for buffer in moved.values()} <= {"cuda"}
