"""Ask the package of statistics, figures and exports, which is a process of its own.

`ddspec` never loads the numerical stack; what it does not need, it does not wait for.
"""

from __future__ import annotations

import sys

from ddspec.canon import Json
from ddspec.errors import DdspecError, Exit
from ddspec.run.asking import answered, missing

COMMAND = (sys.executable, "-P", "-m", "ddspec_analysis")
NEEDED = ("numpy", "scipy", "matplotlib", "PIL", "pyarrow", "safetensors")
"""What it imports; looked for before it is asked, and never imported here."""
BAD_QUESTION = 64
TIMEOUT_S = 300.0


def ask(tool: str, question: Json, *, timeout_s: float | None = TIMEOUT_S) -> Json:
    """Return what a tool of `ddspec_analysis` answers to a question; None waits for ever.

    Raises `DdspecError`: exit 6 where its libraries are not installed, exit 3 with its own words
    where it cannot answer the question, exit 1 where it died.
    """
    require_libraries()
    return answered(
        [*COMMAND, tool], question, f"`{tool}`", refused=BAD_QUESTION, timeout_s=timeout_s
    )


def require_libraries() -> None:
    """Raise `DdspecError` (exit 6) where what every tool needs is not installed."""
    if absent := missing(NEEDED):
        raise DdspecError(
            f"statistics, figures and exports need {absent}",
            exit=Exit.UNABLE,
            hint="`pip install 'ddspec[report]'`",
        )
