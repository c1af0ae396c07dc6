"""What is seen of a network's batch norms, against plain modules with hooks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18

from ddspec.spec.network import ClassicSpec, ConvNetSpec, TorchvisionSpec
from ddspec_runners.nets.base import Network, Observed
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator

SIZE = 32


def plain_convnet() -> nn.Module:
    layers: list[nn.Module] = []
    for fan_in in (3, 6):
        layers += [nn.Conv2d(fan_in, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU()]
        layers += [nn.AvgPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(6 * (SIZE // 4) ** 2, 5))


PLAIN: dict[str, Callable[[], nn.Module]] = {
    "convnet": plain_convnet,
    "torchvision": lambda: resnet18(num_classes=5),
}
SPECS = {
    "convnet": ConvNetSpec(kind="convnet", depth=2, width=6, norm="batch"),
    "torchvision": TorchvisionSpec(kind="torchvision", model="resnet18"),
}


def images() -> Tensor:
    return torch.randn(4, 3, SIZE, SIZE, generator=generator("images"), dtype=torch.float64)


def network(name: str) -> Network:
    return make_network(SPECS[name], channels=3, size=SIZE, classes=5)


def moved_away(plain: nn.Module) -> nn.Module:
    """Return the module with numbers in which no two roles can be confused."""
    rng = generator("numbers")
    for tensor in [*plain.parameters(), *plain.buffers()]:
        if tensor.is_floating_point():
            tensor.data += 0.2 * torch.rand(tensor.shape, generator=rng, dtype=tensor.dtype)
    return plain.double()


def hooked(plain: nn.Module, x: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
    """Return logits, the input of each batch norm as it is entered, and that of the last layer."""
    entered: list[Tensor] = []
    features: list[Tensor] = []
    for module in plain.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_hook(lambda _, given, __: entered.append(given[0]))
        if isinstance(module, nn.Linear):
            module.register_forward_hook(lambda _, given, __: features.append(given[0]))
    return plain(x), entered, features[0]


def given(name: str, plain: nn.Module) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the numbers of a plain module under the names of ours, matched by order and shape."""
    ours = network(name)
    values = [p.detach() for p in plain.parameters()]
    params = dict(zip(ours.init(generator("any")), values, strict=True))
    running = [b for b in plain.buffers() if b.is_floating_point()]
    return params, dict(zip(ours.buffers(), running, strict=True))


def observe(name: str, plain: nn.Module, x: Tensor, *, training: bool) -> Observed:
    params, buffers = given(name, plain)
    return network(name).observe(params, None if training else buffers, x)


@pytest.mark.parametrize("training", [True, False], ids=["batch", "running"])
@pytest.mark.parametrize("name", PLAIN)
def test_what_is_observed_is_what_hooks_on_plain_modules_catch(name: str, training: bool) -> None:
    plain = moved_away(PLAIN[name]())
    seen = observe(name, plain, images(), training=training)
    params, buffers = given(name, plain)
    alone = network(name).features(params, None if training else buffers, images())
    # last: in training it moves the running statistics that `observe` is given
    logits, entered, features = hooked(plain.train(training), images())

    # float64 sums of some thousand terms of order one: 1e-13 a layer, through 20 layers
    torch.testing.assert_close(seen.logits, logits, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(seen.features, features, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(alone, features, rtol=1e-10, atol=1e-10)
    assert len(seen.norms) == len(entered)
    for moments, maps in zip(seen.norms.values(), entered, strict=True):
        mean = maps.mean((0, 2, 3))
        var = (maps - mean[:, None, None]).square().mean((0, 2, 3))
        torch.testing.assert_close(moments.mean, mean, rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(moments.var, var, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", PLAIN)
def test_the_gradient_of_observed_moments_is_that_of_plain_modules(name: str) -> None:
    plain, x = moved_away(PLAIN[name]()).eval(), images()
    ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
    seen = observe(name, plain, ours, training=False)
    _, entered, _ = hooked(plain, theirs)

    total = torch.stack([m.var.sum() + m.mean.square().sum() for m in seen.norms.values()]).sum()
    expected = torch.stack(
        [m.var((0, 2, 3), correction=0).sum() + m.mean((0, 2, 3)).square().sum() for m in entered]
    ).sum()
    (gradient,) = torch.autograd.grad(total, ours)
    (plain_gradient,) = torch.autograd.grad(expected, theirs)

    torch.testing.assert_close(gradient, plain_gradient, rtol=1e-9, atol=1e-9)


def test_batch_norms_come_in_the_order_of_the_forward_pass() -> None:
    spec = ClassicSpec(kind="classic", model="resnet10", norm="batch")
    ours = make_network(spec, channels=3, size=16, classes=5)
    x = torch.randn(2, 3, 16, 16, generator=generator("x"))

    names = list(ours.observe(ours.init(generator("a")), ours.buffers(), x).norms)

    assert names[0] == "stem.norm"
    assert names.index("stage1.block0.norm1") < names.index("stage1.block0.norm2")
    assert names[-1].startswith("stage3")


def test_the_moments_of_an_ensemble_are_those_of_its_members() -> None:
    ours, x = network("convnet"), images()
    members = [
        {name: p.double() for name, p in ours.init(generator("member", i)).items()}
        for i in range(2)
    ]
    stacked = {name: torch.stack([each[name] for each in members]) for name in members[0]}

    together = torch.func.vmap(lambda params: ours.observe(params, None, x))(stacked)

    for i, member in enumerate(members):
        for name, moments in ours.observe(member, None, x).norms.items():
            # the same sums, perhaps in another order
            torch.testing.assert_close(together.norms[name].var[i], moments.var, rtol=1e-9, atol=0)


def test_observing_leaves_no_hook_behind() -> None:
    ours, x = network("torchvision"), images()
    params, buffers = given("torchvision", moved_away(PLAIN["torchvision"]()))
    first = ours.observe(params, buffers, x)
    kept = dict(first.norms)

    ours.predict(params, buffers, 2 * x)

    assert first.norms == kept
    with pytest.raises(RuntimeError):
        ours.observe(params, buffers, x[:, :2])
    assert len(ours.observe(params, buffers, x).norms) == len(kept)
