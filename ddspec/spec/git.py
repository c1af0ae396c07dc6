"""Asking git for text and ids, in a way that runs nothing a repository or a name could ask for.

Only plumbing is called. Names come after `--end-of-options`, paths are taken literally, no hook,
filter, pager or credential helper is run, and nothing is fetched.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ddspec.errors import DdspecError, Exit
from ddspec.visible import visible

TIMEOUT_S = 60
"""Longest that git may take for one answer."""

_SETTINGS = (
    "--no-pager",
    "--no-replace-objects",
    "--no-optional-locks",
    "--literal-pathspecs",
    *("-c", "core.fsmonitor=false"),
    *("-c", "protocol.allow=never"),  # a partial clone would fetch what it lacks
    *("-c", "core.quotePath=false"),
)
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ASKPASS": "",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What git said; nobody's mistake unless the caller thinks so."""

    code: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """What it wrote, without the last line end."""
        return self.out.decode("utf-8", "surrogateescape").removesuffix("\n")


def ask(folder: Path, arguments: Sequence[str]) -> Answer:
    """Run one git command in a folder.

    Raises `DdspecError` (unable) where there is no git, the folder is in no repository, or git
    refuses the repository because it belongs to somebody else.
    """
    command = ["git", *_SETTINGS, *arguments]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | _ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DdspecError(
            f"git did not answer within {TIMEOUT_S} seconds", exit=Exit.UNABLE
        ) from None
    except OSError as error:
        if isinstance(error, FileNotFoundError) and folder.is_dir():
            raise DdspecError(
                "git is not installed", exit=Exit.UNABLE, hint="revisions are read with it"
            ) from None
        raise DdspecError(f"git cannot be run: {error.strerror}", exit=Exit.UNABLE) from error
    answer = Answer(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip())
    _refuse_foreign(folder, answer.err)
    return answer


def _refuse_foreign(folder: Path, said: str) -> None:
    shown = visible(str(folder.absolute()))
    if "dubious ownership" in said:
        raise DdspecError(
            f"git does not trust the repository of `{shown}`: it belongs to another user",
            exit=Exit.UNABLE,
            hint="if you trust it, `git config --global --add safe.directory DIR`",
        )
    if "not a git repository" in said:
        raise DdspecError(
            f"`{shown}` is in no git repository, so it has no revisions",
            exit=Exit.UNABLE,
            hint="name two files instead",
        )


def complaint(answer: Answer) -> str:
    """Return the first line of what git complained about, safe to print."""
    first = answer.err.split("\n")[0].removeprefix("fatal: ").removeprefix("error: ")
    return visible(first) or f"git ended with {answer.code}"
