"""What is known of photographs in folders: which classes, in which order, how many images.

Their content is identified by a lock. ImageNet-10 and ImageNet-100 are the first 10 and 100 of the
list of IDC (Kim et al., ICML 2022); the six sets of ten classes are those of MTT (Cazenavette et
al., CVPR 2022), in the order of its code; ImageNet-1K and Tiny-ImageNet are sorted by folder name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ddspec.spec.published import Facts

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _of_imagenet(
    title: str, name: str, classes: int, *, size: int = 224, train: int | None = None
) -> Facts:
    """Return the facts of some classes of ImageNet-1K, with 50 test images each."""
    return Facts(
        title=title,
        channels=3,
        size=size,
        classes=f"{name}.txt",
        train=train,
        test=50 * classes,
        train_per_class=None,
        test_per_class=(50,) * classes,
        mean=_MEAN,
        std=_STD,
    )


FOLDERS: Mapping[str, Facts] = MappingProxyType(
    {
        "tiny_imagenet": Facts(
            title="Tiny-ImageNet",
            channels=3,
            size=64,
            classes="tiny_imagenet.txt",
            train=100_000,
            test=10_000,
            train_per_class=(500,) * 200,
            test_per_class=(50,) * 200,
            mean=_MEAN,
            std=_STD,
        ),
        "imagenet10": _of_imagenet("ImageNet-10 (IDC's list)", "imagenet10", 10),
        "imagenet100": _of_imagenet("ImageNet-100 (IDC's list)", "imagenet100", 100, train=126_689),
        "imagenet1k": _of_imagenet("ImageNet-1K", "imagenet1k", 1000, train=1_281_167),
        "imagenette": _of_imagenet("ImageNette", "imagenette", 10, size=128),
        "imagewoof": _of_imagenet("ImageWoof", "imagewoof", 10, size=128),
        "imagefruit": _of_imagenet("ImageFruit", "imagefruit", 10, size=128),
        "imagemeow": _of_imagenet("ImageMeow", "imagemeow", 10, size=128),
        "imagesquawk": _of_imagenet("ImageSquawk", "imagesquawk", 10, size=128),
        "imageyellow": _of_imagenet("ImageYellow", "imageyellow", 10, size=128),
    }
)
