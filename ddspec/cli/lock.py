"""`ddspec lock`: record data, runners and image, so that others plan and compute with the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import Data, Spec
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.plan.drift import FoundImage, Installed
    from ddspec.spec.experiment import Experiment
    from ddspec.spec.lock import Lock, LockedImage, LockedRunners


def lock(
    spec: Spec,
    data: Data = None,
    image: Annotated[
        str | None,
        typer.Option("--image", metavar="REF", help="Lock this runner image too, as it is here."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 4 where something moved since.")
    ] = False,
) -> Exit:
    """Record what a spec is planned and computed with.

    Hashes every image of a folder and writes NAME.lock.yaml beside NAME.yaml, to be committed:
    the data, the runners of this installation and, with `--image`, the image they run in.
    """
    from ddspec.cli.output import show

    if check:
        return _check(spec, data, image)
    show(lock_spec(spec, data, image))
    return Exit.DONE


def lock_spec(spec: Path, data: Path | None, image: str | None = None) -> str:
    """Write the lock of a spec, and return in one line what it locks."""
    from ddspec.spec.load import load_spec
    from ddspec.spec.lock import lock_path
    from ddspec.spec.lock_text import write_lock

    target = lock_path(spec)
    before = _lock_at(target)
    made = make_lock(load_spec(spec).experiment, data)
    kept = before.runners.image if before is not None and before.runners is not None else None
    runners = locked_runners(kept if image is None else locked_image(image))
    write_lock(target, made.model_copy(update={"runners": runners}))
    parts = [*_data_words(made), f"runners {runners.source[:12]}"]
    if runners.image is not None:
        where = "" if runners.image.digest else " (this host only)"
        parts.append(f"image {runners.image.reference}{where}")
    return f"{target}: {', '.join(parts)}"


def _data_words(made: Lock) -> list[str]:
    if made.published:
        return [f"{made.kind} by published checksums"]
    images = sum(sum(made.images(split).values()) for split in made.splits)
    files = "file" if made.ignored == 1 else "files"
    others = [f"{made.ignored} other {files} passed over"] if made.ignored else []
    return [f"{images:,} images", *others, made.digest[:12]]


def _lock_at(path: Path) -> Lock | None:
    from ddspec.spec.lock import read_lock

    return read_lock(path) if path.exists() else None


def _check(spec: Path, data: Path | None, image: str | None) -> Exit:
    """Say what is not as the lock of a spec says."""
    from ddspec.cli.output import show
    from ddspec.plan.drift import data_drift, image_drift, in_sentences, runners_drift
    from ddspec.spec.load import load_spec
    from ddspec.spec.lock import lock_path

    target = lock_path(spec)
    locked = _lock_at(target)
    if locked is None:
        raise DdspecError(
            f"`{spec}` has no lock", exit=Exit.UNABLE, hint=f"`ddspec lock {spec}` writes it"
        )
    found = list(data_drift(locked, make_lock(load_spec(spec).experiment, data)))
    if locked.runners is not None:
        found += runners_drift(locked.runners, installed())
        if locked.runners.image is not None:
            here = found_image(image or locked.runners.image.reference)
            found += image_drift(locked.runners.image, here)
    show("\n".join(in_sentences(found)) or f"{target}: nothing moved")
    return Exit.CHANGED if found else Exit.DONE


def installed() -> Installed:
    """Return the runners of this installation."""
    from ddspec.engine.source import revisions, runners_digest
    from ddspec.plan.drift import Installed

    return Installed(runners_digest(), revisions())


def locked_runners(image: LockedImage | None) -> LockedRunners:
    """Return the runners of this installation and an image, as a lock holds them."""
    from ddspec.spec.lock import LockedRunners

    here = installed()
    return LockedRunners(source=here.source, revisions=here.revisions, image=image)


def locked_image(reference: str) -> LockedImage:
    """Return an image as a lock holds it; raises `DdspecError` where the engine has none."""
    from ddspec.engine.connect import connect
    from ddspec.engine.images import runner_image
    from ddspec.spec.lock import LockedImage

    found = runner_image(connect(os.environ), reference)
    return LockedImage(
        reference=found.reference, id=found.id, digest=found.digest, source=found.source
    )


def found_image(reference: str) -> FoundImage:
    """Return an image as the engine here has it."""
    from ddspec.plan.drift import FoundImage

    found = locked_image(reference)
    return FoundImage(found.reference, found.id, found.digest)


def make_lock(experiment: Experiment, data: Path | None) -> Lock:
    """Read the images of an experiment's folder; a published dataset is known by its checksums."""
    from ddspec.cli.inputs import data_root
    from ddspec.console.run_view import count_progress
    from ddspec.spec.dataset import BuiltinDatasetSpec, FolderDatasetSpec
    from ddspec.spec.facts import FACTS
    from ddspec.spec.interpolate import expand_location
    from ddspec.spec.lock import Lock, Split, scan_folder

    dataset = experiment.dataset
    if isinstance(dataset, BuiltinDatasetSpec):
        content = FACTS[dataset.kind].content
        assert content is not None  # that is what makes it one of these
        return Lock(kind=dataset.kind, digest=content)
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
