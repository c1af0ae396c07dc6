"""Evaluation protocols by name: how published results were measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ddspec.spec.augmentation import (
    DsaSpec,
    IdcAugmentationSpec,
    ImageNetAugmentationSpec,
    SgdSpec,
    StepDecaySpec,
)
from ddspec.spec.evaluate import ProtocolSpec


def _idc() -> ProtocolSpec:
    """Return how IDC and Acc-DD evaluate small images (official code of IDC, ICML 2022).

    DSA's operations without cutout, because CutMix takes its place.
    """
    return ProtocolSpec(
        name="idc",
        epochs=1000,
        batch=64,
        optimizer=SgdSpec(learning_rate=0.01, momentum=0.9, weight_decay=5e-4),
        decay=StepDecaySpec(factor=0.2, at=(2 / 3, 5 / 6)),
        augmentation=IdcAugmentationSpec(
            kind="idc", operations=("color", "crop", "flip", "scale", "rotate")
        ),
        cutmix=0.5,
    )


def _idc_imagenet() -> ProtocolSpec:
    """Return how IDC and Acc-DD evaluate on ImageNet-10 (official code of IDC)."""
    return ProtocolSpec(
        name="idc-imagenet",
        epochs="idc_by_size",
        batch=64,
        optimizer=SgdSpec(learning_rate=0.01, momentum=0.9, weight_decay=5e-4),
        decay=StepDecaySpec(factor=0.2, at=(2 / 3, 5 / 6)),
        augmentation=ImageNetAugmentationSpec(kind="imagenet"),
        cutmix=1.0,
    )


def _idc_imagenet100() -> ProtocolSpec:
    """Return how IDC and Acc-DD evaluate on ImageNet-100: other batches, rate and decay."""
    return _idc_imagenet().model_copy(
        update={
            "name": "idc-imagenet100",
            "batch": 128,
            "optimizer": SgdSpec(learning_rate=0.1, momentum=0.9, weight_decay=1e-4),
        }
    )


def _dc() -> ProtocolSpec:
    """Return how DC evaluates: 300 epochs, tenth of the rate from half on, no augmentation.

    The official loop makes one epoch more and forgets the momentum at the decay; this does not.
    """
    return ProtocolSpec(
        name="dc",
        epochs=300,
        batch=256,
        optimizer=SgdSpec(learning_rate=0.01, momentum=0.9, weight_decay=5e-4),
        decay=StepDecaySpec(factor=0.1, at=(0.5,)),
    )


def _dsa() -> ProtocolSpec:
    """Return how DSA and DM evaluate: as DC, for 1,000 epochs and with DSA's augmentation."""
    return _dc().model_copy(
        update={"name": "dsa", "epochs": 1000, "augmentation": DsaSpec(kind="dsa")}
    )


PROTOCOLS: Mapping[str, Callable[[], ProtocolSpec]] = {
    "dc": _dc,
    "dsa": _dsa,
    "idc": _idc,
    "idc-imagenet": _idc_imagenet,
    "idc-imagenet100": _idc_imagenet100,
}
"""Built only when asked for, so that importing the table costs nothing."""

IDC_EPOCHS = ((1, 3000), (10, 2000), (50, 1500), (200, 1000), (500, 500))
"""Epochs by the number of decoded images a class, up to and including it; more of them take 300."""


def idc_epochs(*, views_per_class: int, classes: int) -> int:
    """Return IDC's number of epochs for a set: fewer the larger it is.

    With 100 classes two thirds of it, rounded down to a hundred (official code of IDC).
    """
    epochs = next((epochs for most, epochs in IDC_EPOCHS if views_per_class <= most), 300)
    return epochs * 2 // 3 // 100 * 100 if classes == 100 else epochs
