"""The folder of datasets that a container gets to see: what must not be handed over."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ddspec.errors import DdspecError, Exit
from ddspec.spec.facts import FACTS
from ddspec.wire.job import JobStage
from ddspec.wire.work import CheckpointWork, ImportWork, PrepareWork, Work


def data_root(data: Path, *, home: Path, socket: Path | None) -> Path:
    """Return the folder of datasets without symbolic links.

    Raises DdspecError: exit 6 where there is none, exit 5 where a container would see more than
    data, that is `/`, the store with its other outputs, or the engine's own socket.
    """
    root = Path(os.path.realpath(data))
    if not root.is_dir():
        raise DdspecError(
            f"there is no data directory {data}",
            exit=Exit.UNABLE,
            hint="give `--data DIR` or set DDSPEC_DATA",
        )
    forbidden = {"the store": Path(os.path.realpath(home))}
    if socket is not None:
        forbidden["the socket of the container engine"] = Path(os.path.realpath(socket))
    for name, path in forbidden.items():
        if path.is_relative_to(root):
            raise DdspecError(
                f"the data directory {root} holds {name}, and containers would see it",
                exit=Exit.REFUSED,
                hint="give `--data` a folder of its own that holds nothing but datasets",
            )
    return root


def refuse_escapes(root: Path, stages: Iterable[JobStage]) -> None:
    """Refuse datasets and weights that lead elsewhere: by their place (exit 5), or by links.

    Symbolic links are refused (exit 6) that lead out of the data directory, or name their target
    by an absolute path, which is another one in a container.
    """
    for stage in stages:
        if isinstance(stage.work, PrepareWork | CheckpointWork | ImportWork):
            for link in _links(root, stage.work, stage.location):
                _check(root, link)


def _links(root: Path, work: Work, location: Mapping[str, str]) -> Iterator[Path]:
    """Yield the symbolic links at and below what a stage reads."""
    named = [at for name, at in location.items() if name == "path" or name.startswith("file/")]
    for at in named:
        place = root / at
        # before anything there is looked at: a plan may come from somebody else
        if not Path(os.path.normpath(place)).is_relative_to(root):
            raise DdspecError(
                f"`{at}` leads out of the data directory {root}",
                exit=Exit.REFUSED,
                hint="the plan names folders of images below the data directory",
            )
        yield from _on_the_way(root, place)
        yield from _below(place)
    if named:
        return
    if isinstance(work, PrepareWork) and work.source.name in FACTS:
        for file in FACTS[work.source.name].files:
            yield from _on_the_way(root, root / file.path)


def _on_the_way(root: Path, path: Path) -> Iterator[Path]:
    for part in (*reversed(path.parents), path):
        if part != root and part.is_relative_to(root) and part.is_symlink():
            yield part


def _below(folder: Path) -> Iterator[Path]:
    """Yield links below a folder; those to folders are looked behind, each folder once."""
    waiting, seen = [folder], set()
    while waiting:
        here = waiting.pop()
        if (real := os.path.realpath(here)) in seen or not here.is_dir():
            continue
        seen.add(real)
        with os.scandir(here) as entries:
            for entry in entries:
                if entry.is_symlink():
                    yield Path(entry.path)
                if entry.is_dir():
                    waiting.append(Path(entry.path))


def _check(root: Path, link: Path) -> None:
    target = link.readlink()
    if not target.is_absolute() and Path(os.path.realpath(link)).is_relative_to(root):
        return
    why = "is absolute" if target.is_absolute() else f"leaves {root}"
    raise DdspecError(
        f"containers cannot follow the symbolic link {link} -> {target}, which {why}",
        exit=Exit.UNABLE,
        hint="move or bind-mount the files into the data directory, or link them relatively",
    )
