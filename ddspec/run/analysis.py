"""Ask the package of statistics, figures and exports, which is a process of its own.

`ddspec` never loads the numerical stack; what it does not need, it does not wait for.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit

COMMAND = (sys.executable, "-P", "-m", "ddspec_analysis")
NEEDED = ("numpy", "scipy", "matplotlib", "PIL", "pyarrow", "safetensors")
"""What it imports; looked for before it is asked, and never imported here."""
BAD_QUESTION = 64
TIMEOUT_S = 300.0
LINES_SHOWN = 6


def ask(tool: str, question: Json, *, timeout_s: float | None = TIMEOUT_S) -> Json:
    """Return what a tool of `ddspec_analysis` answers to a question; None waits for ever.

    Raises `DdspecError`: exit 6 where its libraries are not installed, exit 3 with its own words
    where it cannot answer the question, exit 1 where it died.
    """
    require_libraries()
    try:
        done = subprocess.run(
            [*COMMAND, tool],
            input=json.dumps(question, allow_nan=False),
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DdspecError(
            f"`{tool}` had no answer after {timeout_s:.0f} seconds", exit=Exit.FAILED
        ) from None
    told = "\n".join(done.stderr.strip().splitlines()[-LINES_SHOWN:])
    if done.returncode == BAD_QUESTION:
        raise DdspecError(told, exit=Exit.INVALID)
    if done.returncode != 0:
        raise DdspecError(f"`{tool}` died with exit {done.returncode}\n{told}", exit=Exit.FAILED)
    answer: Json = json.loads(done.stdout)
    return answer


def require_libraries() -> None:
    """Raise `DdspecError` (exit 6) where what every tool needs is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise DdspecError(
            f"statistics, figures and exports need {', '.join(missing)}, "
            f"not installed for {sys.executable}",
            exit=Exit.UNABLE,
            hint="`pip install 'ddspec[report]'`",
        )
