"""Rules about how the pieces of a method fit together, in words."""

from __future__ import annotations

from ddspec.plan.rule import Rule

FAMILY_RULES: tuple[Rule, ...] = (
    Rule(
        33,
        "A stem that the architecture does not have",
        "error",
        says="`stem: cifar` stands at an architecture of torchvision that is no ResNet.",
        why="Only for ResNets is it published what replaces the first layers on small images.",
        mend="Leave `stem` out, or take a ResNet.",
        wrong="dataset: {kind: cifar10}\n"
        "evaluate:\n  networks: [{kind: torchvision, model: densenet121, stem: cifar}]",
        right="dataset: {kind: cifar10}\n"
        "evaluate:\n  networks: [{kind: torchvision, model: resnet50, stem: cifar}]",
    ),
)
