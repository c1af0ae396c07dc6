"""Networks stacked along a leading axis, computed in one go by `torch.func.vmap`."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from torch import Tensor

from ddspec.spec.network import NetworkSpec
from ddspec_runners.nets.base import Network, Params
from ddspec_runners.nets.make import make_network
from ddspec_runners.rng import generator

NETWORK: TypeAdapter[NetworkSpec] = TypeAdapter(NetworkSpec)
MEMBERS, IMAGES = 2, 3


def convnet(**settings: Any) -> dict[str, Any]:
    return {"kind": "convnet", "depth": 2, "width": 8, **settings}


def classic(model: str, **settings: Any) -> dict[str, Any]:
    return {"kind": "classic", "model": model, **settings}


CASES: dict[str, tuple[dict[str, Any], int, int]] = {
    "convnet": (convnet(), 3, 8),
    "convnet-batch": (convnet(norm="batch"), 1, 9),
    "convnet-layer": (convnet(norm="layer", activation="swish"), 4, 8),
    "convnet-group": (convnet(norm="group", activation="sigmoid", pooling="max"), 3, 8),
    "convnet-none": (convnet(norm="none", activation="leaky_relu", pooling="none"), 1, 28),
    "resnet_ap": ({"kind": "resnet_ap", "stem": "small", "width": 8}, 3, 16),
    "mlp": (classic("mlp"), 1, 8),
    "lenet": (classic("lenet"), 1, 28),
    "alexnet": (classic("alexnet"), 3, 8),
    "alexnet-batch": (classic("alexnet", norm="batch"), 1, 28),
    "resnet10": (classic("resnet10"), 3, 16),
    "densenet_cifar": (classic("densenet_cifar"), 3, 16),
}


class Ensemble:
    """Members of one architecture, each with its own images, and all of them stacked."""

    def __init__(self, name: str) -> None:
        settings, channels, size = CASES[name]
        spec = NETWORK.validate_python(settings)
        self.network: Network = make_network(spec, channels=channels, size=size, classes=5)
        self.params = [self._params(i) for i in range(MEMBERS)]
        self.buffers = [self._buffers(i) for i in range(MEMBERS)]
        shape = (MEMBERS, IMAGES, channels, size, size)
        self.images = torch.randn(shape, generator=generator("x"), dtype=torch.float64)

    def _params(self, member: int) -> dict[str, Tensor]:
        drawn = self.network.init(generator("member", member))
        return {name: p.double() for name, p in drawn.items()}

    def _buffers(self, member: int) -> dict[str, Tensor]:
        return {
            name: (b + torch.rand(b.shape, generator=generator(name, member))).double()
            for name, b in self.network.buffers().items()
        }


def stacked(members: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([one[name] for one in members]) for name in members[0]}


def assert_same(together: Params, alone: list[Params]) -> None:
    # the same products in float64; grouped convolutions add them up in another order
    for name, found in together.items():
        expected = torch.stack([one[name] for one in alone])
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_an_ensemble_sees_what_its_members_see_one_by_one(name: str) -> None:
    ensemble = Ensemble(name)
    network = ensemble.network

    def seen(params: Params, buffers: Params, x: Tensor) -> dict[str, Tensor]:
        logits, moved = network.train_step(params, buffers, x)
        return {
            "apply": network.apply(params, x),
            "train_step": logits,
            "predict": network.predict(params, buffers, x),
            "features": network.features(params, buffers, x),
            **moved,
        }

    params, buffers = stacked(ensemble.params), stacked(ensemble.buffers)
    together = torch.func.vmap(seen)(params, buffers, ensemble.images)

    alone = map(seen, ensemble.params, ensemble.buffers, ensemble.images)
    assert_same(together, list(alone))


@pytest.mark.parametrize("name", CASES)
def test_an_ensemble_has_the_gradients_of_its_members(name: str) -> None:
    ensemble = Ensemble(name)
    labels = torch.tensor([1, 4, 0])

    def gradient(params: Params, buffers: Params, x: Tensor) -> dict[str, Tensor]:
        def loss(params: Params) -> Tensor:
            logits, _ = ensemble.network.train_step(params, buffers, x)
            return F.cross_entropy(logits, labels)

        grads: dict[str, Tensor] = torch.func.grad(loss)(params)
        return grads

    params, buffers = stacked(ensemble.params), stacked(ensemble.buffers)
    together = torch.func.vmap(gradient)(params, buffers, ensemble.images)

    assert_same(together, list(map(gradient, ensemble.params, ensemble.buffers, ensemble.images)))


@pytest.mark.parametrize("name", ["convnet", "resnet10"])
def test_members_may_share_their_images(name: str) -> None:
    ensemble = Ensemble(name)
    params, x = stacked(ensemble.params), ensemble.images[0]
    together = torch.func.vmap(ensemble.network.apply, in_dims=(0, None))(params, x)

    assert_same(
        {"logits": together},
        [{"logits": ensemble.network.apply(member, x)} for member in ensemble.params],
    )
