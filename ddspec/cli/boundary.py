"""The one place where errors become text on stderr and an exit code."""

from __future__ import annotations

import errno
import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import typer

from ddspec.cli.output import say
from ddspec.errors import DdspecError, Exit

P = ParamSpec("P")

BUG = 70
"""EX_SOFTWARE of sysexits.h: neither the person nor the environment is at fault."""

INTERRUPTED = 128 + 2
"""What a shell reports for a process that SIGINT ended."""

READER_GONE = 128 + 13
"""What a shell reports for a process that SIGPIPE ended, as `ddspec ... | head` may."""

ENVIRONMENT = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
        *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ENODEV),
        *(errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.ENOTDIR),
    }
)
"""What the machine, the disk or a path can refuse to any program, however right it is."""


def bounded(verb: Callable[P, Exit]) -> Callable[P, None]:
    """Return the verb with its exit code raised, and its errors told, in the way of the shell."""

    @functools.wraps(verb)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(_code(lambda: verb(*args, **kwargs)))

    # `wraps` copies the verb's annotations, and the parameters are read from them
    return guarded


def _code(call: Callable[[], Exit]) -> int:
    try:
        code = call()
        sys.stdout.flush()
        return int(code)
    except DdspecError as error:
        _tell(error)
        return int(error.exit)
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
        return READER_GONE
    except OSError as error:
        if error.errno == errno.EIO and not sys.stderr.isatty():
            return INTERRUPTED  # the terminal went away; jobs that were started go on
        if error.errno in ENVIRONMENT or _is_nowhere():
            say(f"error: {_inability(error)}")
            return Exit.UNABLE
        say(_report(error))
        return BUG
    except MemoryError:
        say("error: there is not enough memory")
        return Exit.UNABLE
    except (typer.Exit, typer.Abort, typer.BadParameter):
        raise
    except Exception as error:  # the boundary: whatever arrives here is a bug, and is reported
        say(_report(error))
        return BUG


def _is_nowhere() -> bool:
    """Tell whether the folder that this process works in was removed under it."""
    try:
        return not Path.cwd().exists()
    except OSError:
        return True


def _inability(error: OSError) -> str:
    if _is_nowhere():
        return "the folder that this was called in no longer exists\n  hint: go to another one"
    reason = (error.strerror or str(error)).lower()
    return f"`{error.filename}`: {reason}" if error.filename else reason


def _tell(error: DdspecError) -> None:
    from ddspec.console.errors_view import render_errors, render_further
    from ddspec.console.terminal import wants_colour

    colour = wants_colour(sys.stderr, os.environ)
    say(render_errors(error.diagnostics, colour=colour), styled=True)
    if further := render_further(error.diagnostics):
        say(further)


def _silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: Exception) -> str:
    import platform
    import tempfile

    from ddspec import __version__
    from ddspec.console.errors_view import render_bug

    text = render_bug(
        error,
        command=" ".join(["ddspec", *sys.argv[1:]]),
        versions=f"ddspec {__version__}, Python {platform.python_version()}, {platform.system()}",
    )
    what = f"{type(error).__name__}: {error}".split("\n")[0]
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="ddspec-bug-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
    except OSError:  # no room for a file: the terminal is the file
        return text
    return f"bug in ddspec: {what}\n  hint: the traceback is in {Path(file.name)}"
