"""What this machine has for a run: cores, a GPU, the images.

What lacks is said before anything starts, and not after minutes of other work.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from ddspec.cli.options import Device
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.plan.ir import Plan, Stage
    from ddspec.spec.facts import DataFile

Place: TypeAlias = Literal["cpu", "cuda"]

NVIDIA = Path("/dev/nvidiactl")
GPU_DRIVERS = (NVIDIA, Path("/dev/dxg"), Path("/dev/kfd"))
"""Where the drivers show that PyTorch calls CUDA: NVIDIA's, that of WSL, AMD's."""


def place_of(device: Device, said: str = "--device cuda") -> Place:
    """Return where stages compute; a GPU is seen by its driver, for torch is never loaded here.

    Only NVIDIA's own driver is taken unasked. Raises `DdspecError` (exit 6) where a GPU is asked
    for, by the option `said`, and there can be none.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if device is Device.AUTO:
        return "cuda" if NVIDIA.exists() and not hidden else "cpu"
    if device is Device.CPU:
        return "cpu"
    if hidden or not any(driver.exists() for driver in GPU_DRIVERS):
        why = "CUDA_VISIBLE_DEVICES hides every GPU" if hidden else "no driver of a GPU is loaded"
        raise DdspecError(
            f"`{said}` cannot be had: {why}",
            exit=Exit.UNABLE,
            hint="`--device cpu` in its place does the same work, more slowly",
        )
    return "cuda"


def jobs_at_a_time(place: Place, threads: int) -> int:
    """Return how many jobs of so many threads fill the machine; one process fills a GPU."""
    return 1 if place == "cuda" else max(1, _cores() // threads)


def read_from_data(plan: Plan) -> dict[str, str]:
    """Return the datasets that are read from the data directory, by name, with their titles.

    The others come with libraries.
    """
    from ddspec.spec.facts import FACTS

    return {
        one.data.name: one.data.title
        for one in plan.variants
        if (known := FACTS.get(one.data.name)) is None or known.decoded is None
    }


def with_images(plan: Plan, missing: Callable[[], Sequence[Stage]], data: Path | None) -> Plan:
    """Return the plan with the places of its images filled in, where `missing` stages read them.

    Which are missing takes a look at the whole store, so it is only asked where images are read.

    Raises `DdspecError` (exit 6) where the images, or weights from elsewhere, are not there to be
    read.
    """
    from ddspec.cli.inputs import with_places
    from ddspec.spec.facts import FACTS
    from ddspec.wire.work import PrepareWork

    titles = read_from_data(plan)
    if not titles and not _given(plan):
        return plan
    stages = missing()
    for what, hint, places in _given(stages):
        _require_given(what, hint, places, data)
    works = [stage.work for stage in stages]
    read = dict.fromkeys(work.source.name for work in works if isinstance(work, PrepareWork))
    names = [name for name in read if name in titles]
    if not names:
        return plan
    if data is None:
        raise DdspecError(
            f"`{titles[names[0]]}` has to be read, and there is no data directory",
            exit=Exit.UNABLE,
            hint="give `--data DIR` or set DDSPEC_DATA; `ddspec data fetch` brings some datasets",
        )
    located = with_places(plan, os.environ)
    for name in names:
        known = FACTS.get(name)
        if known is not None and known.files:
            _require_files(name, known.files, data)
        else:
            _require_folders(located, data)
    return located


def _given(stages: Iterable[Stage]) -> list[tuple[str, str, list[str]]]:
    """Return what files from elsewhere stages take over: what, whose they are, where they lie."""
    from ddspec.wire.work import CheckpointWork, ImportWork

    found = []
    for stage in stages:
        if isinstance(stage.work, CheckpointWork) and "path" in stage.location:
            by = "put the file there, as torchvision or its authors publish it"
            found.append(("weights", by, [stage.location["path"]]))
        elif isinstance(stage.work, ImportWork):
            by = "put the file there, as it was when the set was imported"
            found.append(("files", by, list(stage.location.values())))
    return found


def _require_given(what: str, hint: str, places: Sequence[str], data: Path | None) -> None:
    for place in places:
        if data is None:
            raise DdspecError(
                f"the {what} `{place}` have to be read, and there is no data directory",
                exit=Exit.UNABLE,
                hint="give `--data DIR` or set DDSPEC_DATA",
            )
        if not (data / place).is_file():
            raise DdspecError(
                f"the {what} `{data / place}` cannot be found", exit=Exit.UNABLE, hint=hint
            )


def _require_files(name: str, files: Sequence[DataFile], data: Path) -> None:
    absent = [file.path for file in files if not (data / file.path).is_file()]
    if absent:
        others = f" and {len(absent) - 1} more" if len(absent) > 1 else ""
        raise DdspecError(
            f"`{data / absent[0]}`{others} cannot be found",
            exit=Exit.UNABLE,
            hint=f"`ddspec data fetch {name} --data {data}` brings what is missing",
        )


def _require_folders(plan: Plan, data: Path) -> None:
    roots = {stage.location["path"] for stage in plan if "path" in stage.location}
    for root in sorted(roots):
        if not (data / root).is_dir():
            raise DdspecError(
                f"`{data / root}` is not a folder",
                exit=Exit.UNABLE,
                hint="`dataset.path` of the spec is looked for under the data directory",
            )


def _cores() -> int:
    """Return how many cores this process may use, which a container may have made fewer."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
