"""Write a set that was rounded to 8 bits for others to read: pictures, numpy, Parquet."""

from __future__ import annotations

from pathlib import Path

from ddspec.canon import Json
from ddspec_analysis import export_npz, export_parquet, export_png
from ddspec_analysis.export_set import RoundedSet

KINDS = ("png", "npz", "parquet")


def answer(question: Json) -> Json:
    """Write the set of `{"as", "set", "to", "exact"}` into the existing, empty folder `to`.

    `set` is the folder of a rounded set; `exact`, for `npz` alone, that of the learned one, or
    None. Returns what was written, by format, with `images`; or where the disk failed `failed`,
    the words and the number of the error. Raises ValueError where the set cannot be read.
    """
    if not isinstance(question, dict) or question.get("as") not in KINDS:
        raise ValueError(f"a set is exported as one of {', '.join(KINDS)}")
    found, folder = RoundedSet.open(Path(str(question["set"]))), Path(str(question["to"]))
    exact = None if question.get("exact") is None else Path(str(question["exact"]))
    try:
        told = _written(str(question["as"]), found, folder, exact)
    except OSError as error:
        return {"failed": error.strerror or str(error), "errno": error.errno}
    return {"images": found.count, "soft_labels": found.soft_labels() is not None, **told}


def _written(kind: str, found: RoundedSet, folder: Path, exact: Path | None) -> dict[str, Json]:
    if kind == "npz":
        return export_npz.write(found, folder, exact)
    return export_png.write(found, folder) if kind == "png" else export_parquet.write(found, folder)
