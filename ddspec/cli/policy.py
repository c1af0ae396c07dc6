"""`ddspec policy`: what the team's rules say of a plan; and how other verbs ask for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from ddspec.cli.options import AsJson, Document
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddspec.cli.inputs import Opened
    from ddspec.cli.place import Place
    from ddspec.plan.policy import PinnedImage, Verdict

PolicyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        envvar="DDSPEC_POLICY",
        help="Rules that the plan must keep; default ddspec-policy.yaml of the repository.",
    ),
]


@dataclass(frozen=True, slots=True)
class Ground:
    """Where stages are about to run; None of it before a run begins."""

    image: str | None = None
    contained: bool = True


def policy(document: Document, policy: PolicyFile = None, as_json: AsJson = False) -> Exit:
    """Say what each rule of the team's policy says of a plan.

    `ddspec plan` shows the same in short. Exit code 5 where a rule denies the plan.
    """
    from ddspec.cli.inputs import open_document
    from ddspec.cli.output import show, show_json
    from ddspec.console.policy_view import POLICY_JSON_FORMAT, render_verdicts, verdicts_json

    verdicts = verdicts_on(open_document(document), document, policy)
    if not verdicts:
        raise DdspecError(
            f"no policy applies to `{document}`",
            exit=Exit.USAGE,
            hint="name one with `--policy FILE`, or put ddspec-policy.yaml into the repository",
        )
    if as_json:
        show_json({"format": POLICY_JSON_FORMAT, "verdicts": verdicts_json(verdicts)})
    else:
        show(render_verdicts(verdicts))
    enforce(verdicts)
    return Exit.DONE


def verdicts_on(
    opened: Opened, document: Path, policy: Path | None, ground: Ground | None = None
) -> tuple[Verdict, ...]:
    """Return what the policy that is named, or the repository's, says; nothing without one."""
    from ddspec.spec.policy_file import find_policy

    path = policy or _found(find_policy(document))
    if path is None:
        return ()
    from ddspec.plan.policy import Circumstances, judge, read_policy

    loaded = read_policy(path)
    asks = any(rule.kind == "image" for rule in loaded.policy.rules)
    circumstances = Circumstances(
        presets=tuple(opened.plan.presets),
        image=_image(opened, ground) if asks else None,
        contained=ground is None or ground.contained,
    )
    return judge(opened.plan, loaded, circumstances)


def _found(path: Path | None) -> Path | None:
    """Return a path as it is named from here, where that is short."""
    if path is None or not path.is_relative_to(Path.cwd()):
        return path
    return path.relative_to(Path.cwd())


def enforce(verdicts: Sequence[Verdict], *, running: bool = False) -> None:
    """Raise `DdspecError` (refused) with every rule that denies; cheap where there is none."""
    if verdicts:
        from ddspec.plan.policy import enforce as enforced

        enforced(verdicts, running=running)


def ground_of(place: Place, image: str | None) -> Ground:
    """Return where a run is about to happen."""
    from ddspec.cli.place import Place

    return Ground(image, contained=place is Place.DOCKER)


def _image(opened: Opened, ground: Ground | None) -> PinnedImage | None:
    """Return the image that a run would use; before one begins, the locked one."""
    from ddspec.plan.policy import PinnedImage

    if ground is not None and ground.contained:
        from ddspec.engine.connect import connect
        from ddspec.engine.images import IMAGE, runner_image

        image = runner_image(connect(os.environ), ground.image or IMAGE)
        return PinnedImage(image.reference, image.digest)
    locked = opened.lock.runners if opened.lock is not None else None
    if locked is None or locked.image is None:
        return None
    return PinnedImage(locked.image.reference, locked.image.digest)
