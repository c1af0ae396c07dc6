"""What of our source is inside the runner image, and its digest.

The image carries the digest as a label, so that a run finds out before it submits anything whether
the containers would compute with the same code as this installation. Nothing is imported to find
it out: files are read where Python would load them from.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

from ddspec.errors import DdspecError, Exit

SUFFIXES = (".py", ".txt", ".yaml", ".j2", ".css", ".typed")
"""What our packages consist of; a checkout may hold other things as well."""

RUNNERS = "ddspec_runners"

VOCABULARY = (
    "__init__.py",
    "canon.py",
    "errors.py",
    "version.py",
    "visible.py",
    "spec/__init__.py",
    "spec/augmentation.py",
    "spec/base.py",
    "spec/baselines.py",
    "spec/classes/cifar100.txt",
    "spec/classes/imagefruit.txt",
    "spec/classes/imagemeow.txt",
    "spec/classes/imagenet10.txt",
    "spec/classes/imagenet100.txt",
    "spec/classes/imagenet1k.txt",
    "spec/classes/imagenette.txt",
    "spec/classes/imagesquawk.txt",
    "spec/classes/imagewoof.txt",
    "spec/classes/imageyellow.txt",
    "spec/classes/tiny_imagenet.txt",
    "spec/dataset.py",
    "spec/evaluate.py",
    "spec/events.py",
    "spec/explain.py",
    "spec/facts.py",
    "spec/facts_folders.py",
    "spec/imported.py",
    "spec/inner.py",
    "spec/labels.py",
    "spec/learned.py",
    "spec/lock.py",
    "spec/matcher.py",
    "spec/method.py",
    "spec/network.py",
    "spec/nodes.py",
    "spec/optimizer.py",
    "spec/perturbation.py",
    "spec/pool.py",
    "spec/published.py",
    "spec/scalars.py",
    "spec/shapes.py",
    "spec/source.py",
    "spec/trees.py",
    "spec/update.py",
    "wire/__init__.py",
    "wire/imported.py",
    "wire/job.py",
    "wire/judging.py",
    "wire/model.py",
    "wire/networks.py",
    "wire/parts.py",
    "wire/schedule.py",
    "wire/work.py",
)
"""What the runners import of `ddspec`, and what that imports; the rest only plans and submits."""


@functools.cache
def runners_digest() -> str:
    """Return the SHA-256 of the source that a runner executes, over names and bytes in order.

    Raises DdspecError (exit 6) where a file of the installation is missing.
    """
    ours = package_folder("ddspec")
    files = {f"ddspec/{name}": ours / name for name in VOCABULARY}
    files |= {f"{RUNNERS}/{name}": path for name, path in files_of(RUNNERS)}
    total = hashlib.sha256()
    for name in sorted(files):
        try:
            content = files[name].read_bytes()
        except FileNotFoundError as error:
            raise _incomplete(str(error.filename)) from None
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def revisions() -> Mapping[str, int]:
    """Return the revision of each kind of work that this installation implements."""
    from ddspec.wire.work import Work

    works = get_args(get_args(Work)[0])
    fields = (work.model_fields for work in works)
    return {each["kind"].default: each["revision"].default for each in fields}


def package_folder(package: str) -> Path:
    """Return the folder of a top-level package, without importing it.

    Raises DdspecError (exit 6) where it is not installed.
    """
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise _incomplete(package)
    return Path(spec.origin).parent


def files_of(package: str) -> Iterator[tuple[str, Path]]:
    """Yield (name inside the package, path) of each of its files, ordered by name."""
    folder = package_folder(package)
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    for name, path in sorted(found.items()):
        if path.suffix in SUFFIXES and path.is_file():
            yield name, path


def _incomplete(what: str) -> DdspecError:
    return DdspecError(
        f"this installation of ddspec is not whole: `{what}` is missing",
        exit=Exit.UNABLE,
        hint="install ddspec again",
    )
