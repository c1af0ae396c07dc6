"""Check that two stores hold the same outputs, bit by bit.

Usage: python compare_stores.py HOME OTHER_HOME

The same keys, and of each key the same files with the same bytes. Only how long the work took and
on what (`seconds` and `engine` of result.json) and when the files were written (manifest.json) may
differ.
"""

import json
import sys
from collections import Counter
from pathlib import Path

MANIFEST, RESULT = "manifest.json", "result.json"
FREE = {"seconds", "engine"}


def main() -> None:
    """Leave with an error unless both stores hold the same."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    homes = [Path(home) for home in sys.argv[1:]]
    ours, others = (objects_of(home) for home in homes)
    problems = [f"{key[:16]}: only in one store" for key in sorted(ours.keys() ^ others.keys())]
    count: Counter[str] = Counter()
    for key in sorted(ours.keys() & others.keys()):
        problems += differences(key, ours[key], others[key])
        count.update(path.name for path in files_of(ours[key]))
    if problems:
        sys.exit("\n".join(["the stores differ:", *problems]))
    if not ours:
        sys.exit(f"{homes[0]} holds nothing")
    names = ", ".join(f"{number} {name}" for name, number in sorted(count.items()))
    sys.stdout.write(f"{len(ours)} outputs are equal bit by bit: {names}\n")


def objects_of(home: Path) -> dict[str, Path]:
    """Return the folders of a store's outputs by key."""
    return {path.name: path for path in home.glob("objects/??/*")}


def files_of(folder: Path) -> list[Path]:
    """Return all files of an output but its manifest."""
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    return sorted(path for path in files if path.name != MANIFEST)


def differences(key: str, ours: Path, others: Path) -> list[str]:
    """Return what differs between two folders of a key."""
    names = {str(path.relative_to(ours)) for path in files_of(ours)}
    other_names = {str(path.relative_to(others)) for path in files_of(others)}
    label = json.loads((ours / RESULT).read_bytes())["label"]
    found = [f"{name} is in one of them only" for name in sorted(names ^ other_names)]
    for name in sorted(names & other_names):
        same = same_result if name == RESULT else same_bytes
        if not same(ours / name, others / name):
            found.append(f"{name} differs")
    return [f"{key[:16]} {label}: {what}" for what in found]


def same_bytes(ours: Path, others: Path) -> bool:
    """Return whether two files have the same content."""
    return ours.read_bytes() == others.read_bytes()


def same_result(ours: Path, others: Path) -> bool:
    """Return whether two results say the same of the work, its figures above all."""
    plain, other = (json.loads(path.read_bytes()) for path in (ours, others))
    return drop(plain) == drop(other)


def drop(result: dict[str, object]) -> dict[str, object]:
    """Return a result without what may differ."""
    return {name: value for name, value in result.items() if name not in FREE}


if __name__ == "__main__":
    main()
