"""Building the runner image through the engine, without any other tool.

The engine's own interface is used rather than a command line: every Docker-compatible engine has
it, and the Dockerfile needs nothing beyond it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ddspec.engine.connect import Engine
from ddspec.engine.context import Recipe, base_of, context
from ddspec.engine.faults import NOT_FOUND, EngineGone, EngineRefused, translated
from ddspec.engine.images import RunnerImage, runner_image
from ddspec.engine.trial import Trial, try_command
from ddspec.errors import DdspecError, Exit

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
"""Arguments that every builder knows, and keeps out of the image and of its history."""

SUCCESS = "Successfully tagged"
"""What Docker and Podman say last, and only of an image that has its name."""

LAST_LINES = 15
"""How much of a failed build is repeated: pip's reason, and what it was about."""

BASE_PYTHON = """
import platform, sys, venv
import pip
if sys.version_info < (3, 11):
    raise SystemExit("Python " + platform.python_version())
print(platform.python_version())
"""

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
"""What the classic builder puts around all that a command writes to its stderr."""

Say = Callable[[str], None]


def build_image(
    engine: Engine,
    recipe: Recipe,
    tag: str,
    *,
    say: Say,
    environ: Mapping[str, str],
    network: str | None = None,
    cached: bool = True,
) -> RunnerImage:
    """Build the image, tell `say` every line of it, and return what became of it.

    `network` is that of the installation (`host`, `none`, ...), `environ` where proxies come from.
    Raises DdspecError: exit 2 for a wrong name or path, exit 6 with the last lines of a build that
    failed.
    """
    _require_name(tag)
    base = base_of(recipe)
    python = base_python(engine, base, say)
    proxies = {name: environ[name] for name in PROXIES if environ.get(name)}
    pieces = context(replace(recipe, python=python))
    with translated("build the image"):
        lines = engine.api.build(
            fileobj=pieces,
            custom_context=True,
            tag=tag,
            nocache=not cached,
            network_mode=network,
            buildargs=proxies,
            use_config_proxy=False,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=None,
        )
        done = _follow(lines, say)
    if not done:  # else an older image of that name would be taken for the new one
        raise EngineGone("the container engine ended the build before it was done")
    return runner_image(engine, tag)


def base_python(engine: Engine, base: str, say: Say) -> str:
    """Return the version of the Python of a base image, which is pulled where it is missing.

    Raises DdspecError (exit 6) where nothing can be built on it.
    """
    _have(engine, base, say)
    trial = try_command(engine, base, ["python3", "-c", BASE_PYTHON], user="65534:65534")
    if trial.exit:
        raise DdspecError(
            f"nothing can be built on `{base}`: {_reason(trial)}",
            exit=Exit.UNABLE,
            hint="a base needs python3 (3.11 or newer) with venv and pip, and glibc",
        )
    return trial.text.strip()


def _have(engine: Engine, base: str, say: Say) -> None:
    try:
        with translated(f"look at the image `{base}`"):
            engine.api.inspect_image(base)
        return
    except EngineRefused as error:
        if error.status != NOT_FOUND:
            raise
    say(f"pulling {base}")
    try:
        with translated(f"pull `{base}`"):
            # by its full name: the SDK pulls every tag of a bare one
            name = base if "@" in base or ":" in base.rpartition("/")[2] else f"{base}:latest"
            pulled = engine.api.pull(name, stream=True, decode=True)
            failures = [str(line["error"]) for line in pulled if line.get("error")]
        if failures:
            raise DdspecError(failures[0], exit=Exit.UNABLE)
    except DdspecError as error:
        raise DdspecError(
            f"the base image `{base}` is not on the engine, and cannot be pulled: {error}",
            exit=Exit.UNABLE,
            hint="`--base IMAGE` takes any image with Python 3.11 or newer, venv and pip",
        ) from error


def _follow(lines: Iterable[Mapping[str, Any]], say: Say) -> bool:
    """Tell every line of a build as it comes; return whether one said that it is done.

    Raises DdspecError with the last lines where it failed. What failed is read to its end as well:
    only then does the SDK let go of the connection.
    """
    last: deque[str] = deque(maxlen=LAST_LINES)
    done, failure = False, ""
    for message in lines:
        if failure:
            continue
        for text in _lines_of(message):
            last.append(text)
            say(text)
            done = done or text.startswith(SUCCESS)
        failure = str(message.get("error") or "")
    if failure:
        shown = "".join(f"\n    {line}" for line in last)
        raise DdspecError(
            f"the image could not be built: {failure}{shown}",
            exit=Exit.UNABLE,
            hint="docker/README.md tells of bases, proxies, private indexes and no network",
        )
    return done


def _lines_of(message: Mapping[str, Any]) -> Iterator[str]:
    if "progressDetail" in message:
        return  # bytes of a layer, many times a second
    text = COLOURS.sub("", str(message.get("stream") or message.get("status") or ""))
    yield from (line.rstrip() for line in text.splitlines() if line.strip())


def _reason(trial: Trial) -> str:
    lines = [line for line in trial.text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"python3 there exits with {trial.exit}"


def _require_name(tag: str) -> None:
    from docker.utils import match_tag

    if not match_tag(tag) or "@" in tag:
        raise DdspecError(f"`{tag}` cannot be the name of an image", exit=Exit.USAGE)
