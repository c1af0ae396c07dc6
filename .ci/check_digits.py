"""Check what `ddspec run specs/digits.yaml --json` printed: learning has paid off, and visibly so.

Usage: python check_digits.py RUN.json
"""

import json
import math
import sys
from pathlib import Path

SETS = ["distilled", "random", "init", "full"]


def standard_error(row: dict) -> float:
    """Return the standard error of a row's mean accuracy."""
    return row["accuracy_std"] / math.sqrt(row["repeats"])


def main() -> None:
    """Leave with an error unless the distilled set beats both baselines by more than 2 SE."""
    found = json.loads(Path(sys.argv[1]).read_text())
    rows = {row["set"]: row for row in found["results"]}
    if list(rows) != SETS:
        sys.exit(f"expected results for {SETS}, found {list(rows)}")
    learned = rows["distilled"]
    for name in ("random", "init"):
        gain = learned["accuracy_mean"] - rows[name]["accuracy_mean"]
        error = math.hypot(standard_error(learned), standard_error(rows[name]))
        sys.stdout.write(f"distilled - {name}: {gain:+.4f}, standard error {error:.4f}\n")
        if not gain > 2 * error:
            sys.exit(f"the distilled set does not beat `{name}` by more than 2 standard errors")


if __name__ == "__main__":
    main()
