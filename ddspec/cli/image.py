"""`ddspec image`: the image that stages run in on a container engine."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddspec.cli.boundary import bounded
from ddspec.cli.options import AsJson
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.engine.connect import Engine
    from ddspec.engine.context import Recipe
    from ddspec.engine.images import RunnerImage
    from ddspec.engine.inside import Inside

FORMAT = "ddspec.image/1"


def build(
    base: Annotated[
        str | None,
        typer.Option(
            "--base", metavar="IMAGE", help="Build on this image: Python >= 3.11, venv, pip, glibc."
        ),
    ] = None,
    tag: Annotated[
        str | None, typer.Option("--tag", metavar="REF", help="What to call the image.")
    ] = None,
    wheels: Annotated[
        Path | None,
        typer.Option(
            "--wheels", metavar="DIR", help="Install from this folder of wheels, and no index."
        ),
    ] = None,
    network: Annotated[
        str | None,
        typer.Option(
            "--network",
            metavar="MODE",
            help="Network of the installation: `host`, `none`, ...; `none` with `--wheels`.",
        ),
    ] = None,
    pip_config: Annotated[
        Path | None,
        typer.Option("--pip-config", metavar="FILE", help="pip.conf of a private index."),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option("--ca", metavar="FILE", help="Certificates (PEM) to trust while installing."),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Run every step anew, whatever was built before.")
    ] = False,
    context: Annotated[
        Path | None,
        typer.Option(
            "--context",
            metavar="FILE",
            help="Build nothing; write what another builder needs, as a tar archive.",
        ),
    ] = None,
) -> Exit:
    """Build the image of this version: its libraries by hash, its runners from this installation.

    Only what the runners changed is built again, in seconds.
    """
    from ddspec.cli.output import say, show
    from ddspec.engine.build import build_image
    from ddspec.engine.connect import connect
    from ddspec.engine.context import Recipe
    from ddspec.engine.images import IMAGE

    recipe = Recipe(base=base, wheels=wheels, pip_config=pip_config, ca=ca)
    if context is not None:
        return _write_context(recipe, context)
    started = time.monotonic()
    image = build_image(
        connect(os.environ),
        recipe,
        tag or IMAGE,
        say=say,
        environ=os.environ,
        network=network or ("none" if wheels else None),
        cached=not no_cache,
    )
    show(f"{image.reference}  {image.id}")
    say(f"{image.size / 1e9:.2f} GB, built in {time.monotonic() - started:.0f} s")
    return Exit.DONE


def check(
    reference: Annotated[
        str | None,
        typer.Argument(
            metavar="REF", envvar="DDSPEC_IMAGE", help="By default that of this version."
        ),
    ] = None,
    as_json: AsJson = False,
) -> Exit:
    """Say which image a run would use, and try it in a container as walled in as a job's.

    Exit code 4 where its runners are not those of this installation, 6 where it does not work.
    """
    from ddspec.cli.output import say, show, show_json
    from ddspec.engine.connect import connect
    from ddspec.engine.images import IMAGE, mismatches, require_match, runner_image
    from ddspec.engine.inside import USERS, look_inside

    engine = connect(os.environ)
    image = runner_image(engine, reference or IMAGE)
    devices = _devices(engine)
    seen = [look_inside(engine, image, user=user, devices=devices) for user in USERS]
    problems = mismatches(image)
    if as_json:
        show_json(_document(image, seen, problems))
        for problem in problems:
            say(f"error: {problem}")
        return Exit.CHANGED if problems else Exit.DONE
    show("\n".join(_lines(image, seen, on_gpu=bool(devices))))
    require_match(image)
    return Exit.DONE


def _write_context(recipe: Recipe, path: Path) -> Exit:
    from ddspec.cli.output import show
    from ddspec.engine.context import context

    if path.is_dir():
        raise DdspecError(f"`{path}` is a folder", exit=Exit.USAGE)
    pieces = context(recipe)
    with path.open("wb") as file:
        file.writelines(pieces)
    show(f"{path}  {path.stat().st_size / 1e6:.1f} MB")
    return Exit.DONE


def _devices(engine: Engine) -> Sequence[dict[str, Any]]:
    """Return the request of one GPU where this machine has one."""
    from ddspec.engine.facts import facts_of
    from ddspec.engine.gpus import device_request, host_gpus

    gpus = host_gpus()
    return [device_request(gpus[0].uuid, facts_of(engine))] if gpus else []


def _document(
    image: RunnerImage, seen: Sequence[Inside], problems: Sequence[str]
) -> dict[str, Any]:
    plain = asdict(image) | {"pinned": image.pinned, "revisions": dict(image.revisions)}
    inside = [asdict(each) | {"devices": list(each.devices)} for each in seen]
    return {"format": FORMAT, **plain, "inside": inside, "problems": list(problems)}


def _lines(image: RunnerImage, seen: Sequence[Inside], *, on_gpu: bool) -> list[str]:
    first = seen[0]
    gpus = ", ".join(first.devices) or ("none seen by torch" if on_gpu else "none on this machine")
    revisions = ", ".join(f"{kind} {number}" for kind, number in sorted(image.revisions.items()))
    rows = {
        "image": image.reference,
        "pinned": image.pinned,
        "ddspec": f"{image.version}, source {image.source[:12]}",
        "revisions": revisions,
        "python": first.python,
        "torch": f"{first.torch}, CUDA {first.cuda or 'none'}",
        "gpu": gpus,
        "size": f"{image.size / 1e9:.2f} GB",
        "works as": " and ".join(each.user for each in seen),
    }
    width = max(map(len, rows))
    return [f"{name:<{width}}  {value}" for name, value in rows.items()]


image = typer.Typer(
    help="Build and check the image that stages run in.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
image.callback()(lambda: None)
image.command("build")(bounded(build))
image.command("check")(bounded(check))
