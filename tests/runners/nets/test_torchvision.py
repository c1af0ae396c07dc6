"""Networks of torchvision against torchvision itself."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
import torchvision.models
from torch import Tensor, nn

from ddspec.errors import DdspecError
from ddspec.spec.network import TorchvisionSpec
from ddspec_runners.nets.torchvision import ARCHITECTURES, TorchvisionNetwork
from ddspec_runners.rng import generator, seed_of

MODELS = [
    # half a minute of torchvision's own making, for blocks that are those of ResNet-50
    pytest.param(model, marks=pytest.mark.slow if model == "resnet101" else ())
    for model in sorted(ARCHITECTURES)
]


def make(
    model: str, *, channels: int = 3, size: int = 64, noise: Mapping[str, float] | None = None
) -> TorchvisionNetwork:
    spec = TorchvisionSpec.model_validate({"kind": "torchvision", "model": model, **(noise or {})})
    return TorchvisionNetwork(spec, channels=channels, size=size, classes=7)


def original(model: str, **noise: float) -> nn.Module:
    """Build torchvision's module; its values come from the global generator, put back after."""
    with torch.random.fork_rng():
        options = dict.fromkeys(ARCHITECTURES[model].noise, 0.0) | noise
        build = torchvision.models.get_model_builder(model)
        modules: nn.Module = build(weights=None, num_classes=7, **options)
        return modules


def doubled(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.double() for name, tensor in tensors.items()}


@pytest.mark.parametrize("model", MODELS)
def test_training_and_predicting_are_those_of_torchvision(model: str) -> None:
    network, modules = make(model), original(model).double()
    params = doubled(network.init(generator("init")))
    buffers = doubled(network.buffers())
    modules.load_state_dict({**params, **buffers}, strict=False)
    x = torch.randn((2, 3, 64, 64), generator=generator("x"), dtype=torch.float64)

    logits, moved = network.train_step(params, buffers, x)

    # the same operations on the same numbers
    torch.testing.assert_close(logits, modules.train()(x), rtol=1e-12, atol=1e-12)
    state = modules.state_dict()
    assert set(params) | set(moved) == {n for n in state if not n.endswith("tracked")}
    assert all(buffer.equal(state[name]) for name, buffer in moved.items())
    predicted = network.predict(params, moved, x)
    torch.testing.assert_close(predicted, modules.eval()(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_initial_values_follow_the_law_of_torchvision(model: str) -> None:
    params, theirs = make(model).init(generator("a")), dict(original(model).named_parameters())

    for name, p in params.items():
        expected = theirs[name].detach()
        assert p.shape == expected.shape
        if expected.min() == expected.max():
            assert p.equal(expected), name
        elif p.numel() > 1000:
            # two samples of one law: deviations differ by std / sqrt(n) (normal): 6 of them
            tolerance = 6 * expected.std().item() / math.sqrt(p.numel())
            assert p.std().item() == pytest.approx(expected.std().item(), abs=tolerance), name


# --- dropout and stochastic depth -----------------------------------------------------------------


class Drop(nn.Module):
    """Dropout by torch's global generator, which its own does not draw from in this order."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.empty(x.shape).bernoulli_(0.7) / 0.7


@pytest.mark.parametrize(
    ("model", "noise"),
    [
        ("mobilenet_v2", {"dropout": 0.3}),
        ("efficientnet_b0", {"dropout": 0.3, "stochastic_depth": 0.5}),
    ],
)
def test_noise_leaves_out_what_torchvision_does(model: str, noise: dict[str, float]) -> None:
    network = make(model, size=32, noise=noise)
    params = doubled(network.init(generator("init")))
    buffers = doubled(network.buffers())
    options = {"stochastic_depth_prob": 0.5} if "stochastic_depth" in noise else {}
    modules = original(model, **options)
    modules.double().load_state_dict(params, strict=False)
    modules.set_submodule("classifier.0", Drop())
    x = torch.randn((4, 3, 32, 32), generator=generator("x"), dtype=torch.float64)

    logits, _ = network.train_step(params, buffers, x, generator("noise"))

    with torch.random.fork_rng():
        torch.manual_seed(seed_of(("noise",)))  # noqa: TID251 (torchvision draws from nothing else)
        expected = modules.train()(x)
    # the same operations on the same numbers; torchvision's norms of 4 x 1 px amplify rounding
    torch.testing.assert_close(logits, expected, rtol=1e-10, atol=1e-10)
    quiet, _ = make(model, size=32).train_step(params, buffers, x)
    assert not torch.allclose(logits, quiet, rtol=1e-2, atol=1e-3)
    assert network.apply(params, x).equal(quiet)


def test_noise_comes_from_its_generator_alone() -> None:
    network = make("efficientnet_b0", size=32, noise={"dropout": 0.2, "stochastic_depth": 0.2})
    params, buffers = network.init(generator("init")), network.buffers()
    x = torch.randn((4, 3, 32, 32), generator=generator("x"))
    before = torch.random.get_rng_state()

    first, _ = network.train_step(params, buffers, x, generator("a"))
    again, _ = network.train_step(params, buffers, x, generator("a"))
    other, _ = network.train_step(params, buffers, x, generator("b"))

    assert first.equal(again)
    assert not first.equal(other)
    assert torch.random.get_rng_state().equal(before)
    predicted = network.predict(params, buffers, x)
    assert predicted.equal(make("efficientnet_b0", size=32).predict(params, buffers, x))


def test_noise_without_a_generator_is_refused() -> None:
    network = make("mobilenet_v2", size=32, noise={"dropout": 0.2})

    with pytest.raises(ValueError, match="need a generator"):
        network.train_step(
            network.init(generator("a")), network.buffers(), torch.zeros(2, 3, 32, 32)
        )


# --- small and grey images ------------------------------------------------------------------------


def test_grey_images_get_a_first_convolution_of_one_channel() -> None:
    network = make("resnet18", channels=1)
    params = network.init(generator("a"))

    logits = network.predict(params, network.buffers(), torch.zeros(1, 1, 64, 64))

    assert params["conv1.weight"].shape == (64, 1, 7, 7)
    assert logits.shape == (1, 7)


def test_images_too_small_are_refused() -> None:
    with pytest.raises(DdspecError, match="at least 32 px, these have 28"):
        make("resnet18", size=28)


def test_a_resnet_for_small_images_neither_strides_nor_pools_at_first() -> None:
    spec = TorchvisionSpec(kind="torchvision", model="resnet18", stem="cifar")
    network = TorchvisionNetwork(spec, channels=3, size=32, classes=7)
    modules = original("resnet18").double()
    modules.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
    modules.maxpool = nn.Identity()
    params = doubled(network.init(generator("init")))
    modules.double().load_state_dict(params, strict=False)
    x = torch.randn((2, 3, 32, 32), generator=generator("x"), dtype=torch.float64)

    logits = network.apply(params, x)

    assert params["conv1.weight"].shape == (64, 3, 3, 3)
    torch.testing.assert_close(logits, modules.train()(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("model", "stem", "count"),
    [
        # published with torchvision's weights, at 1,000 classes
        pytest.param("resnet18", None, 11_689_512, id="resnet18"),
        pytest.param("resnet50", None, 25_557_032, id="resnet50"),
        pytest.param("resnet101", None, 44_549_160, id="resnet101"),
        pytest.param("densenet121", None, 7_978_856, id="densenet121"),
        pytest.param("mobilenet_v2", None, 3_504_872, id="mobilenet_v2"),
        pytest.param("shufflenet_v2_x1_0", None, 2_278_604, id="shufflenet_v2"),
        pytest.param("efficientnet_b0", None, 5_288_548, id="efficientnet_b0"),
        # 64 x 3 x (49 - 9) fewer in the stem
        pytest.param("resnet18", "cifar", 11_681_832, id="resnet18-cifar"),
        pytest.param("resnet50", "cifar", 25_549_352, id="resnet50-cifar"),
    ],
)
def test_the_number_of_parameters_is_the_published_one(
    model: str, stem: str | None, count: int
) -> None:
    spec = TorchvisionSpec.model_validate({"kind": "torchvision", "model": model, "stem": stem})
    network = TorchvisionNetwork(spec, channels=3, size=64, classes=1000)

    assert sum(p.numel() for p in network.init(generator("a")).values()) == count
