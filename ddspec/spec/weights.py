"""Weights that torchvision publishes: names of files, which end in part of their SHA-256."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

WEIGHTS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("resnet18", "imagenet1k_v1"): "resnet18-f37072fd.pth",
        ("resnet50", "imagenet1k_v1"): "resnet50-0676ba61.pth",
        ("resnet101", "imagenet1k_v1"): "resnet101-63fe2227.pth",
        ("densenet121", "imagenet1k_v1"): "densenet121-a639ec97.pth",
        ("mobilenet_v2", "imagenet1k_v1"): "mobilenet_v2-b0353104.pth",
        ("shufflenet_v2_x1_0", "imagenet1k_v1"): "shufflenetv2_x1-5666bf0f80.pth",
        ("efficientnet_b0", "imagenet1k_v1"): "efficientnet_b0_rwightman-7f5810bc.pth",
    }
)
"""By architecture and name of the weights (torchvision 0.26); all have 1,000 classes."""

CLASSES = 1000


def digest_in(file: str) -> str:
    """Return the beginning of the SHA-256 that a published file name ends in."""
    return file.removesuffix(".pth").rpartition("-")[2]
