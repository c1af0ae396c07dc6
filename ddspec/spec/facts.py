"""What is known of the built-in datasets without having them: names, counts and checksums.

Means and deviations are those of the VICO lineage and of IDC (Zhao et al., ICLR 2021; Kim et al.,
ICML 2022); for CIFAR-100 those of VICO, since IDC's code uses the values of CIFAR-10 there.
Checksums of files are of torchvision's layout as it lies unpacked under the data root. The md5 of
CIFAR's batches and of SVHN's files are those that torchvision publishes, SVHN's SHA-256 those of
TensorFlow Datasets; everything else was computed from files whose archives have the published
checksums.
"""

from __future__ import annotations

from ddspec.spec.facts_folders import FOLDERS
from ddspec.spec.published import CLASSES, DataFile, Facts


def held_out(count: int, fraction: float) -> int:
    """Return how many of `count` images of one class are held out; at least one stays.

    Rounds half to even, as the split itself does.
    """
    return max(0, min(round(fraction * count), count - 1))


_TEN_DIGITS = tuple("0123456789")

_MNIST_FILES = (
    DataFile(
        "MNIST/raw/train-images-idx3-ubyte",
        md5="6bbc9ace898e44ae57da46a324031adb",
        sha256="ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    DataFile(
        "MNIST/raw/train-labels-idx1-ubyte",
        md5="a25bea736e30d166cdddb491f175f624",
        sha256="65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    DataFile(
        "MNIST/raw/t10k-images-idx3-ubyte",
        md5="2646ac647ad5339dbf082846283269ea",
        sha256="0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    DataFile(
        "MNIST/raw/t10k-labels-idx1-ubyte",
        md5="27ae3e4e09519cfbb04c329615203637",
        sha256="ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

_FASHION_FILES = (
    DataFile(
        "FashionMNIST/raw/train-images-idx3-ubyte",
        md5="f4a8712d7a061bf5bd6d2ca38dc4d50a",
        sha256="c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    DataFile(
        "FashionMNIST/raw/train-labels-idx1-ubyte",
        md5="9018921c3c673c538a1fc5bad174d6f9",
        sha256="bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    DataFile(
        "FashionMNIST/raw/t10k-images-idx3-ubyte",
        md5="8181f5470baa50b63fa0f6fddb340f0a",
        sha256="5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    DataFile(
        "FashionMNIST/raw/t10k-labels-idx1-ubyte",
        md5="15d484375f8d13e6eb1aabb0c3f46965",
        sha256="0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)

_SVHN_FILES = (
    DataFile(
        "train_32x32.mat",
        md5="e26dedcc434d2e4c54c9b2d4a06d8373",
        sha256="435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
    ),
    DataFile(
        "test_32x32.mat",
        md5="eb5a983be6a315427106f1b164d9cef3",
        sha256="cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
    ),
)

_CIFAR10_FILES = (
    DataFile(
        "cifar-10-batches-py/data_batch_1",
        md5="c99cafc152244af753f735de768cd75f",
        sha256="54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
    ),
    DataFile(
        "cifar-10-batches-py/data_batch_2",
        md5="d4bba439e000b95fd0a9bffe97cbabec",
        sha256="766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
    ),
    DataFile(
        "cifar-10-batches-py/data_batch_3",
        md5="54ebc095f3ab1f0389bbae665268c751",
        sha256="0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
    ),
    DataFile(
        "cifar-10-batches-py/data_batch_4",
        md5="634d18415352ddfa80567beed471001a",
        sha256="3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
    ),
    DataFile(
        "cifar-10-batches-py/data_batch_5",
        md5="482c414d41f54cd18b22e5b47cb7c3cb",
        sha256="d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
    ),
    DataFile(
        "cifar-10-batches-py/test_batch",
        md5="40351d587109b95175f43aff81a1287e",
        sha256="f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
    ),
    DataFile(
        "cifar-10-batches-py/batches.meta",
        md5="5ff9c542aee3614f3951f8cda6e48888",
        sha256="f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb",
    ),
)

_CIFAR100_FILES = (
    DataFile("cifar-100-python/train", md5="16019d7e3df5f24257cddd939b257f8d", sha256=None),
    DataFile("cifar-100-python/test", md5="f0ef6b0ae62326f3e7ffdfab6717acfc", sha256=None),
    DataFile("cifar-100-python/meta", md5="7973b15100ade9c7d40fb424638fde48", sha256=None),
)

FACTS: dict[str, Facts] = {
    "digits": Facts(
        title="digits of scikit-learn",
        channels=1,
        size=8,
        classes=_TEN_DIGITS,
        train=1_797,
        test=0,
        train_per_class=(178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
        test_per_class=None,
        holdout=0.3,
        # Images as round(value x 255 / 16) in uint8 (1797, 8, 8), then labels in uint8.
        decoded="a19cb3d96bba7deace8ee5a513a6eb7bad0403d528f00bf4d351b6a7a55baa91",
    ),
    "mnist": Facts(
        title="MNIST",
        channels=1,
        size=28,
        classes=_TEN_DIGITS,
        train=60_000,
        test=10_000,
        train_per_class=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        test_per_class=(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
        mean=(0.1307,),
        std=(0.3081,),
        files=_MNIST_FILES,
    ),
    "fashion_mnist": Facts(
        title="Fashion-MNIST",
        channels=1,
        size=28,
        classes=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        train=60_000,
        test=10_000,
        train_per_class=(6_000,) * 10,
        test_per_class=(1_000,) * 10,
        mean=(0.2861,),
        std=(0.3530,),
        files=_FASHION_FILES,
    ),
    "svhn": Facts(
        title="SVHN, cropped digits",
        channels=3,
        size=32,
        classes=_TEN_DIGITS,
        train=73_257,
        test=26_032,
        train_per_class=(4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659),
        test_per_class=(1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595),
        mean=(0.4377, 0.4438, 0.4728),
        std=(0.1980, 0.2010, 0.1970),
        files=_SVHN_FILES,
    ),
    "cifar10": Facts(
        title="CIFAR-10",
        channels=3,
        size=32,
        classes=(
            "airplane",
            "automobile",
            "bird",
            "cat",
            "deer",
            "dog",
            "frog",
            "horse",
            "ship",
            "truck",
        ),
        train=50_000,
        test=10_000,
        train_per_class=(5_000,) * 10,
        test_per_class=(1_000,) * 10,
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2023, 0.1994, 0.2010),
        files=_CIFAR10_FILES,
    ),
    "cifar100": Facts(
        title="CIFAR-100",
        channels=3,
        size=32,
        classes="cifar100.txt",
        train=50_000,
        test=10_000,
        train_per_class=(500,) * 100,
        test_per_class=(100,) * 100,
        mean=(0.5071, 0.4866, 0.4409),
        std=(0.2673, 0.2564, 0.2762),
        files=_CIFAR100_FILES,
    ),
    **FOLDERS,
}

__all__ = ["CLASSES", "FACTS", "DataFile", "Facts", "held_out"]
