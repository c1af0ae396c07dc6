"""Where the published archives of the built-in datasets are, and how they are told to be whole.

Addresses and MD5 sums are those that torchvision publishes, and so is the layout they unpack to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MEBI = 2**20


@dataclass(frozen=True, slots=True)
class Archive:
    """One file to download, and what it becomes."""

    urls: tuple[str, ...]
    """The same file at several places; the first that answers is taken."""
    md5: str
    """Of the archive as downloaded."""
    unpack: Literal["none", "gzip", "tar"]
    target: str
    """Under the data directory: the file itself or what a gzip becomes, the folder in a tar."""
    limit: int
    """Largest size in bytes, so that a wrong answer cannot fill the disk."""


def _gzips(folder: str, roots: tuple[str, ...], sums: dict[str, str]) -> tuple[Archive, ...]:
    return tuple(
        Archive(
            urls=tuple(f"{root}{name}.gz" for root in roots),
            md5=md5,
            unpack="gzip",
            target=f"{folder}/raw/{name}",
            limit=64 * MEBI,
        )
        for name, md5 in sums.items()
    )


def _mats(sums: dict[str, str]) -> tuple[Archive, ...]:
    root = "http://ufldl.stanford.edu/housenumbers/"
    return tuple(
        Archive(urls=(f"{root}{name}",), md5=md5, unpack="none", target=name, limit=256 * MEBI)
        for name, md5 in sums.items()
    )


def _cifar(name: str, folder: str, md5: str) -> tuple[Archive, ...]:
    url = f"https://www.cs.toronto.edu/~kriz/{name}.tar.gz"
    return (Archive(urls=(url,), md5=md5, unpack="tar", target=folder, limit=256 * MEBI),)


ARCHIVES: dict[str, tuple[Archive, ...]] = {
    "mnist": _gzips(
        "MNIST",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
        {
            "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
            "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
            "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion_mnist": _gzips(
        "FashionMNIST",
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        {
            "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
            "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
            "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "svhn": _mats(
        {
            "train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373",
            "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3",
        }
    ),
    "cifar10": _cifar("cifar-10-python", "cifar-10-batches-py", "c58f30108f718f92721af3b95e74349a"),
    "cifar100": _cifar("cifar-100-python", "cifar-100-python", "eb9058c3a382ffc7106e4002c42a8d85"),
}
"""Datasets that `ddspec data fetch` can bring; `digits` comes with scikit-learn."""
