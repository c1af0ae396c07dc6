"""By which constants official codes normalise images, where their files do not say it.

Read from their loaders: `get_dataset` in `utils.py` of DC, DSA and DM, and in that of MTT, which
takes the values of CIFAR-10 for CIFAR-100 too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from ddspec.spec.imported import Layout

Statistics: TypeAlias = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and deviation, per channel, of pixels in [0, 1]."""

_CIFAR10: Statistics = ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))
_IMAGENET: Statistics = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_TENS = ("imagenette", "imagewoof", "imagefruit", "imagemeow", "imagesquawk", "imageyellow")

OFFICIAL: Mapping[Layout, Mapping[str, Statistics]] = {
    "dc": {
        "mnist": ((0.1307,), (0.3081,)),
        "fashion_mnist": ((0.2861,), (0.3530,)),
        "svhn": ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
        "cifar10": _CIFAR10,
        "cifar100": ((0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762)),
        "tiny_imagenet": _IMAGENET,
    },
    "mtt": {
        "cifar10": _CIFAR10,
        "cifar100": _CIFAR10,
        "tiny_imagenet": _IMAGENET,
        **dict.fromkeys(_TENS, _IMAGENET),
    },
    "idc": {},
}
"""By layout and kind of dataset. IDC's files hold pixels."""
