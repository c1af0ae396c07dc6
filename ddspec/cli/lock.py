"""`ddspec lock`: record what the images of a folder are, so that others can plan without them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.cli.options import Data, Spec
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.spec.experiment import Experiment
    from ddspec.spec.lock import Lock


def lock(spec: Spec, data: Data = None) -> Exit:
    """Record what the images of a folder are.

    Hashes every image and writes NAME.lock.yaml beside NAME.yaml, to be committed.
    """
    from ddspec.cli.output import show

    show(lock_spec(spec, data))
    return Exit.DONE


def lock_spec(spec: Path, data: Path | None) -> str:
    """Write the lock of a spec, and return in one line what it locks."""
    from ddspec.spec.load import load_spec
    from ddspec.spec.lock import lock_path, write_lock

    made = make_lock(load_spec(spec).experiment, data)
    target = lock_path(spec)
    write_lock(target, made)
    images = sum(sum(made.images(split).values()) for split in made.splits)
    files = "file" if made.ignored == 1 else "files"
    others = f", {made.ignored} other {files} passed over" if made.ignored else ""
    return f"{target}: {images:,} images{others}, {made.digest[:12]}"


def make_lock(experiment: Experiment, data: Path | None) -> Lock:
    """Read the images of an experiment's folder; DdspecError where there is nothing to lock."""
    from ddspec.cli.inputs import data_root
    from ddspec.console.run_view import count_progress
    from ddspec.spec.dataset import BuiltinDatasetSpec, FolderDatasetSpec
    from ddspec.spec.facts import FACTS
    from ddspec.spec.interpolate import expand_location
    from ddspec.spec.lock import Split, scan_folder

    dataset = experiment.dataset
    if isinstance(dataset, BuiltinDatasetSpec):
        raise DdspecError(
            f"`{dataset.kind}` needs no lock: published checksums identify it", exit=Exit.USAGE
        )
    place = data_root(data)
    root = place / expand_location(dataset.path, os.environ)
    if not root.resolve().is_relative_to(place.resolve()):
        raise DdspecError(
            f"`dataset.path` leads out of the data directory, to `{root.resolve()}`",
            exit=Exit.UNABLE,
            hint="give `--data` the folder that holds it",
        )
    splits: dict[Split, str] = {"train": dataset.train}
    if dataset.test is not None:
        splits["test"] = dataset.test
    classes = (
        dataset.classes
        if isinstance(dataset, FolderDatasetSpec)
        else FACTS[dataset.kind].class_names
    )
    with count_progress("hashing images") as advance:
        return scan_folder(
            root,
            classes,
            splits,
            kind=dataset.kind,
            threads=min(8, os.cpu_count() or 1),
            advance=advance,
        )
