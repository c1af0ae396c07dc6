"""The specs of a folder with what is committed of their results."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ddspec.canon import Json
from ddspec.cli.inputs import Opened, open_document
from ddspec.cli.report import headline
from ddspec.cli.spec_files import MEASURED, PICTURES, Broken, specs_in
from ddspec.cli.surroundings import read_from_data
from ddspec.console.gallery_page import Exhibit, gallery_page
from ddspec.errors import DdspecError, Exit
from ddspec.plan.devices import device
from ddspec.plan.estimate import stage_costs
from ddspec.plan.forecast import Span, forecast
from ddspec.run.judgement import Verdict
from ddspec.run.recorded import moved, read_record
from ddspec.run.tally import place_of
from ddspec.run.verification import claims_of

if TYPE_CHECKING:
    from ddspec.plan.ir import Plan
    from ddspec.run.recorded import Record

DEVICE = "a6000"
"""Forecasts are for it, so that the page is the same everywhere."""
MOST_ABOUT = 400
"""Characters of what a file says of itself."""
_HEAD_BYTES = 4096
_COMMENT = re.compile(r"#[ \t]?(.*)")


@dataclass(frozen=True, slots=True)
class Gallery:
    """All specs of a folder."""

    folder: Path
    exhibits: tuple[Exhibit, ...]
    strays: tuple[Path, ...]
    """Results and pictures that belong to no spec."""

    def page(self) -> str:
        """Return it as Markdown."""
        return gallery_page(self.exhibits, device(DEVICE).title)

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "format": "ddspec.gallery/1",
            "device": device(DEVICE).title,
            "specs": [one.plain() for one in self.exhibits],
            "strays": [str(path) for path in self.strays],
        }


def gallery_of(folder: Path) -> Gallery:
    """Compile the specs of a folder, and read what is committed of their results.

    Raises `DdspecError` (exit 3) with all specs that do not compile, and all damaged results.
    """
    exhibits: list[Exhibit] = []
    broken = Broken()
    for spec in specs_in(folder):
        try:
            opened = open_document(spec)
            broken.passed(opened)
            exhibits.append(_exhibit(opened, spec, folder))
        except DdspecError as error:
            broken.add(spec, error)
    if problems := broken.problems():
        raise DdspecError(problems, exit=Exit.INVALID)
    kept = {folder / path for one in exhibits for path in (one.record_path, one.picture) if path}
    return Gallery(folder, tuple(exhibits), tuple(_strays(folder, kept)))


def record_path(spec: Path, folder: Path) -> Path:
    """Return where the results of a spec are committed."""
    return (folder / MEASURED / spec.relative_to(folder)).with_suffix(".json")


def picture_path(spec: Path, folder: Path) -> Path:
    """Return where the picture of a spec is committed."""
    return (folder / PICTURES / spec.relative_to(folder)).with_suffix(".png")


def command_of(spec: Path, folder: Path, plan: Plan) -> str:
    """Return the command that runs a spec, given from the folder that holds the gallery's."""
    path = Path(folder.absolute().name) / spec.relative_to(folder)
    return f"ddspec run {path.as_posix()}{' --data DIR' if read_from_data(plan) else ''}"


def _exhibit(opened: Opened, spec: Path, folder: Path) -> Exhibit:
    plan = opened.plan
    path, picture = record_path(spec, folder), picture_path(spec, folder)
    record = read_record(path) if path.is_file() else None
    sources = [row.source for one in plan.variants for row in one.experiment.expect]
    moves = () if record is None else moved(record, plan)
    return Exhibit(
        path=spec.relative_to(folder).as_posix(),
        command=command_of(spec, folder, plan),
        name=plan.name,
        title=plan.experiment.title or plan.name,
        facts=headline(plan).rpartition(" · ")[2],
        about=_about(spec),
        plan=plan.digest,
        expected=len(sources),
        papers=tuple(dict.fromkeys(place_of(source)[0] for source in sources)),
        forecast=_forecast(opened),
        record=record,
        record_path=path.relative_to(folder).as_posix() if record is not None else "",
        picture=picture.relative_to(folder).as_posix() if record and picture.is_file() else "",
        figures=tuple(path.relative_to(folder).as_posix() for path in _figures(spec)),
        moves=moves,
        verdicts=() if record is None or moves else _verdicts(plan, record),
    )


def _figures(spec: Path) -> list[Path]:
    """Return the drawings beside a spec that the comment at its top names."""
    named = set(_head(spec).split())
    return sorted(path for path in spec.parent.glob("*.svg") if path.name in named)


def _forecast(opened: Opened) -> Span | None:
    return forecast(opened.plan, device(DEVICE), (), stage_costs(opened.plan)).total()


def _verdicts(plan: Plan, record: Record) -> tuple[str, ...]:
    counts = Counter(claim.verdict for claim in claims_of(plan, record.metrics))
    return tuple(f"{counts[one]} {one.value}" for one in Verdict if counts[one])


def _about(spec: Path) -> str:
    """Return the first paragraph of the comment that a file begins with, on one line."""
    words: list[str] = []
    for line in _head(spec).split("\n"):
        found = _COMMENT.fullmatch(line.rstrip("\r"))
        if found is None or not found[1].strip():
            break
        words += found[1].split()
    text = " ".join(words)
    return text if len(text) <= MOST_ABOUT else f"{text[: MOST_ABOUT - 1]}…"


def _head(spec: Path) -> str:
    with spec.open("rb") as file:
        return file.read(_HEAD_BYTES).decode("utf-8", "replace")


def _strays(folder: Path, kept: set[Path]) -> list[Path]:
    return sorted(
        path
        for name in (MEASURED, PICTURES)
        for path in (folder / name).rglob("*")
        if path not in kept and not path.is_dir()
    )
