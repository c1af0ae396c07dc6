"""Recovery against plain torch modules, hooks and optimisers, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ddspec.wire.work import DistillWork
from ddspec_runners.rng import generator

CLASSES, SIZE = 5, 8
MEAN, STD = (0.4, 0.5, 0.45), (0.2, 0.3, 0.25)

# 5 steps of Adam on sums of some thousand terms of order one: 1e-13 a step, times 1e2 where a first
# moment is small against the root of the second
EXACT = {"rtol": 1e-9, "atol": 1e-9}


class Plain:
    """SRe2L's loop as its code has it, with several teachers (Teddy, Eq. 7)."""

    def __init__(self, work: DistillWork, member: Callable[[int], Mapping[str, Tensor]]) -> None:
        self.work, self.spec = work, work.matcher
        self.teachers = [self.module(member(i)) for i in range(work.schedule.members)]

    def module(self, stored: Mapping[str, Tensor]) -> nn.Module:
        layers: list[nn.Module] = []
        for fan_in in (3, 4):
            layers += [nn.Conv2d(fan_in, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()]
            layers += [nn.AvgPool2d(2)]
        module = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, CLASSES)).double().eval()
        names = {"0": "block0.conv", "1": "block0.norm", "4": "block1.conv", "5": "block1.norm"}
        names["9"] = "classifier"
        renamed = {
            f"{ours}.{end}": stored[f"{theirs}.{end}"]
            for ours, theirs in names.items()
            for end in ("weight", "bias", "running_mean", "running_var")
            if f"{theirs}.{end}" in stored
        }
        counts = {
            "1.num_batches_tracked": torch.tensor(0),
            "5.num_batches_tracked": torch.tensor(0),
        }
        module.load_state_dict(renamed | counts)
        return module

    def far(self, teacher: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits, and the distance to the teacher's running statistics."""
        terms: list[Tensor] = []

        def hook(module: nn.BatchNorm2d, given: tuple[Tensor, ...], _: Tensor) -> None:
            rows = given[0].transpose(0, 1).flatten(1)
            variance = (rows - rows.mean(1, keepdim=True)).square().mean(1)
            assert module.running_mean is not None
            assert module.running_var is not None
            terms.append(
                (variance - module.running_var).norm() + (rows.mean(1) - module.running_mean).norm()
            )

        hooks = [
            module.register_forward_hook(hook)
            for module in teacher.modules()
            if isinstance(module, nn.BatchNorm2d)
        ]
        logits = teacher(x)
        for one in hooks:
            one.remove()
        return logits, self.spec.first_layer * terms[0] + sum(terms[1:])

    def batch(self, first: Tensor, classes: range, image: int) -> tuple[Tensor, list[float]]:
        """Return images (c, C, H, W) after all loops, and the loss before each."""
        x = first.clone().requires_grad_()
        update, loops = self.work.update, self.work.stop
        adam = torch.optim.Adam([x], lr=update.learning_rate, betas=update.betas, eps=1e-8)
        course = torch.optim.lr_scheduler.CosineAnnealingLR(adam, loops)
        count = self.spec.models_per_image
        picked = [self.work.schedule.row(image * count + j).member for j in range(count)]
        labels, losses = torch.tensor([*classes]), []
        for loop in range(loops):
            rng = generator(*self.work.seed, "view", image, classes.start, loop, 0)
            span = self.spec.roll.high - self.spec.roll.low + 1
            down, right = (torch.randint(span, (2,), generator=rng) + self.spec.roll.low).tolist()
            view = torch.roll(x, (down, right), (2, 3))
            loss = self.spec.total_variation * variation(view)
            loss = loss + self.spec.l2 * sum(one.norm() for one in view) / len(view)
            for index in picked:
                logits, distance = self.far(self.teachers[index], view)
                entropy = torch.nn.functional.cross_entropy(logits, labels)
                loss = loss + self.spec.cross_entropy * entropy + self.spec.batch_norm * distance
            adam.zero_grad()
            loss.backward()
            adam.step()
            course.step()
            with torch.no_grad():
                for channel in range(3):
                    low, high = -MEAN[channel] / STD[channel], (1 - MEAN[channel]) / STD[channel]
                    x[:, channel].clamp_(low, high)
            losses.append(loss.item())
        return x.detach(), losses


def variation(x: Tensor) -> Tensor:
    return (
        (x[:, :, :, 1:] - x[:, :, :, :-1]).norm()
        + (x[:, :, 1:] - x[:, :, :-1]).norm()
        + (x[:, :, 1:, 1:] - x[:, :, :-1, :-1]).norm()
        + (x[:, :, 1:, :-1] - x[:, :, :-1, 1:]).norm()
    )


def start(work: DistillWork, classes: range, image: int) -> Tensor:
    """Return standard normal noise, as each class draws it for all of its images."""
    drawn = [
        torch.randn(
            (work.images_per_class, 3, SIZE, SIZE), generator=generator(*work.seed, "init", c)
        )
        for c in classes
    ]
    return torch.stack(drawn)[:, image].double()


@pytest.mark.parametrize(
    "matcher",
    [{}, {"models_per_image": 1}, {"total_variation": 1e-3, "l2": 1e-2, "cross_entropy": 0.5}],
    ids=["two teachers", "one teacher", "priors"],
)
def test_images_are_those_of_the_plain_loop(
    bench: Any, member: Callable[[int], Mapping[str, Tensor]], matcher: dict[str, Any]
) -> None:
    work = bench.work(matcher=matcher)
    ours = bench.run("ours", work)

    plain = Plain(work, member)
    total = torch.zeros(work.stop, dtype=torch.float64)
    for classes in (range(3), range(3, 5)):
        for image in range(2):
            images, losses = plain.batch(start(work, classes, image), classes, image)
            torch.testing.assert_close(ours.images[[*classes], image], images, **EXACT)
            total += len(classes) * torch.tensor(losses, dtype=torch.float64)
    torch.testing.assert_close(torch.tensor(ours.losses, dtype=torch.float64), total / 10, **EXACT)
