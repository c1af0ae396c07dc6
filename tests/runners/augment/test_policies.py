"""What every policy promises, whatever it does to images."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from ddspec.spec.augmentation import (
    AugmentationSpec,
    DcAugmentationSpec,
    DsaSpec,
    IdcAugmentationSpec,
    ImageNetAugmentationSpec,
    NoAugmentationSpec,
    Operation,
    PadCropSpec,
)
from ddspec_runners.augment.base import Draws, Policy
from ddspec_runners.augment.make import make_policy

SIZE = 8
MEAN, STD = (0.48, 0.45, 0.41), (0.23, 0.22, 0.25)
OPERATIONS: tuple[Operation, ...] = ("flip", "color", "crop", "scale", "rotate", "cutout")
SPECS: dict[str, AugmentationSpec] = {
    "none": NoAugmentationSpec(),
    "dsa": DsaSpec(kind="dsa"),
    "idc matching": IdcAugmentationSpec(kind="idc"),
    "idc all": IdcAugmentationSpec(kind="idc", operations=OPERATIONS),
    "imagenet": ImageNetAugmentationSpec(kind="imagenet"),
    "pad and crop": PadCropSpec(kind="pad_crop", padding=2),
    "pad and crop, unmirrored": PadCropSpec(kind="pad_crop", padding=2, flip=False),
    "dc": DcAugmentationSpec(kind="dc"),
    "dsa of nothing": DsaSpec(kind="dsa", operations=()),
    "idc of nothing": IdcAugmentationSpec(kind="idc", operations=()),
    **{f"dsa {name}": DsaSpec(kind="dsa", operations=(name,)) for name in OPERATIONS},
}
RANDOM = [name for name in SPECS if "no" not in name]
ALONE = [name for name in SPECS if name != "dc"]
"""Those under which an image does not depend on the others of its batch; `dc` fills with means."""
SEEDS = range(12)
"""Enough for every operation of a uniform choice among six to come up."""

policies = pytest.mark.parametrize("name", SPECS)
random_policies = pytest.mark.parametrize("name", RANDOM)
rowwise_policies = pytest.mark.parametrize("name", ALONE)
sharing = pytest.mark.parametrize("shared", [True, False], ids=["shared", "per image"])


def policy(name: str) -> Policy:
    return make_policy(SPECS[name], mean=MEAN, std=STD)


def seeded(seed: int) -> Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 4, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(n, 3, SIZE, SIZE, generator=seeded(seed), dtype=dtype)


def same(a: Draws, b: Draws) -> bool:
    return a.keys() == b.keys() and all(a[name].equal(b[name]) for name in a)


@policies
@sharing
def test_draws_are_float32_rows_on_the_cpu(name: str, shared: bool) -> None:
    draws = policy(name).draw(4, SIZE, seeded(1), shared=shared)

    for draw in draws.values():
        assert (draw.dtype, draw.device.type, len(draw)) == (
            torch.float32,
            "cpu",
            1 if shared else 4,
        )


@random_policies
@sharing
def test_a_draw_depends_on_its_generator_alone(name: str, shared: bool) -> None:
    torch.rand(3)
    first = policy(name).draw(4, SIZE, seeded(1), shared=shared)
    torch.rand(5)
    again = policy(name).draw(4, SIZE, seeded(1), shared=shared)
    others = [policy(name).draw(4, SIZE, seeded(seed), shared=shared) for seed in range(2, 8)]

    assert same(first, again)
    assert not all(same(first, other) for other in others)


@policies
@sharing
def test_drawing_leaves_the_global_generator_alone(name: str, shared: bool) -> None:
    before = torch.get_rng_state()

    policy(name).apply(images(), policy(name).draw(4, SIZE, seeded(1), shared=shared))

    assert torch.get_rng_state().equal(before)


@policies
@sharing
def test_what_a_draw_consumes_does_not_depend_on_what_it_draws(name: str, shared: bool) -> None:
    def consumed(seed: int) -> int:
        rng = seeded(seed)
        policy(name).draw(4, SIZE, rng, shared=shared)
        following = torch.rand(4, generator=rng)
        stream = torch.rand(1000, generator=seeded(seed)).unfold(0, 4, 1)
        return int(stream.eq(following).all(1).nonzero().item())

    assert len({consumed(seed) for seed in SEEDS}) == 1


@policies
def test_a_shared_draw_does_not_depend_on_the_size_of_the_batch(name: str) -> None:
    one, many = (policy(name).draw(n, SIZE, seeded(1), shared=True) for n in (1, 9))

    assert same(one, many)


@policies
@sharing
def test_application_is_pure(name: str, shared: bool) -> None:
    x = images()
    draws = policy(name).draw(4, SIZE, seeded(1), shared=shared)
    x_before, draws_before = x.clone(), {key: draw.clone() for key, draw in draws.items()}

    first = policy(name).apply(x, draws)

    assert policy(name).apply(x, draws).equal(first)
    assert x.equal(x_before)
    assert same(draws, draws_before)


@policies
def test_a_shared_draw_is_its_row_repeated(name: str) -> None:
    x = images()
    for seed in SEEDS:
        draws = policy(name).draw(4, SIZE, seeded(seed), shared=True)
        repeated = {key: draw.repeat(4, *[1] * (draw.ndim - 1)) for key, draw in draws.items()}

        shared = policy(name).apply(x, draws)

        # One float64 rounding apart at most: a lone row may be skipped where it is the identity.
        torch.testing.assert_close(shared, policy(name).apply(x, repeated), rtol=0, atol=1e-14)


@rowwise_policies
def test_siamese_batches_undergo_the_same_map(name: str) -> None:
    real, synthetic = images(5, seed=1), images(2, seed=2)
    for seed in SEEDS:
        draws = policy(name).draw(1, SIZE, seeded(seed), shared=True)

        together = policy(name).apply(torch.cat((real, synthetic)), draws)

        assert together[:5].equal(policy(name).apply(real, draws))
        assert together[5:].equal(policy(name).apply(synthetic, draws))


@rowwise_policies
@sharing
def test_rows_of_several_draws_may_be_concatenated(name: str, shared: bool) -> None:
    batches = [images(3, seed) for seed in SEEDS]
    drawn = [policy(name).draw(3, SIZE, seeded(seed), shared=shared) for seed in SEEDS]
    repeats = 3 if shared else 1
    joined = {
        key: torch.cat([draws[key].repeat_interleave(repeats, 0) for draws in drawn])
        for key in drawn[0]
    }

    together = policy(name).apply(torch.cat(batches), joined)

    apart = torch.cat([policy(name).apply(x, d) for x, d in zip(batches, drawn, strict=True)])
    # Vectorised means over other shapes may add up in another order: some float64 roundings.
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-14)


@policies
@sharing
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str
)
def test_shape_and_dtype_are_kept_and_agree_with_float64(
    name: str, shared: bool, dtype: torch.dtype
) -> None:
    x = images(dtype=torch.float64).to(dtype)
    # About ten rounded operations on values below 16, eps being the spacing at 1.
    atol = 160 * torch.finfo(dtype).eps
    for seed in SEEDS:
        draws = policy(name).draw(4, SIZE, seeded(seed), shared=shared)

        augmented = policy(name).apply(x, draws)

        assert (augmented.shape, augmented.dtype) == (x.shape, dtype)
        exact = policy(name).apply(x.double(), draws)
        torch.testing.assert_close(augmented.double(), exact, rtol=0, atol=atol)


@policies
@sharing
def test_every_pixel_has_a_finite_gradient(name: str, shared: bool) -> None:
    for seed in SEEDS:
        x = images().requires_grad_()
        augmented = policy(name).apply(x, policy(name).draw(4, SIZE, seeded(seed), shared=shared))
        (gradient,) = torch.autograd.grad(augmented.square().sum(), x)

        assert gradient.isfinite().all()
        assert gradient.flatten(1).norm(dim=1).gt(0).all()


@policies
@sharing
def test_second_derivatives_agree_with_finite_differences(name: str, shared: bool) -> None:
    x = torch.randn(2, 3, 4, 4, generator=seeded(3), dtype=torch.float64, requires_grad=True)
    draws = policy(name).draw(2, 4, seeded(4), shared=shared)

    def curved(x: Tensor) -> Tensor:
        return policy(name).apply(x, draws).square().sum((1, 2, 3))

    assert torch.autograd.gradcheck(curved, (x,))
    assert torch.autograd.gradgradcheck(curved, (x,))


@policies
@sharing
def test_application_and_its_gradient_can_be_mapped_over_batches(name: str, shared: bool) -> None:
    batches = torch.stack([images(seed=seed) for seed in range(3)])
    for seed in SEEDS:
        draws = policy(name).draw(4, SIZE, seeded(seed), shared=shared)

        def energy(x: Tensor, draws: Draws = draws) -> Tensor:
            return policy(name).apply(x, draws).square().sum()

        mapped = torch.func.vmap(torch.func.grad(energy))(batches)

        looped = torch.stack([torch.func.grad(energy)(x) for x in batches])
        torch.testing.assert_close(mapped, looped)


@policies
@pytest.mark.gpu
@sharing
def test_a_gpu_agrees_with_the_cpu(name: str, shared: bool) -> None:
    x = images()
    for seed in SEEDS:
        draws = policy(name).draw(4, SIZE, seeded(seed), shared=shared)

        there = policy(name).apply(x.cuda(), draws)

        assert there.device.type == "cuda"
        torch.testing.assert_close(there.cpu(), policy(name).apply(x, draws))
