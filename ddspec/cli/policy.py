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
    from collections.abc import Collection, Sequence

    from ddspec.cli.inputs import Opened
    from ddspec.cli.place import Place
    from ddspec.plan.ir import Plan
    from ddspec.plan.policy import PinnedImage, Verdict
    from ddspec.spec.load import Loaded

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
    from ddspec.spec.policy import find_policy

    path = policy or find_policy(document)
    if path is None:
        return ()
    from ddspec.plan.policy import Circumstances, judge, read_policy

    loaded = read_policy(path)
    asks = any(rule.kind == "image" for rule in loaded.policy.rules)
    circumstances = Circumstances(
        presets=_presets(opened.plan, opened.loaded),
        image=_image(document, ground) if asks else None,
        contained=ground is None or ground.contained,
    )
    return judge(opened.plan, loaded, circumstances)


def enforce(verdicts: Sequence[Verdict], *, running: bool = False) -> None:
    """Raise `DdspecError` (refused) with every rule that denies; cheap where there is none."""
    if verdicts:
        from ddspec.plan.policy import enforce as enforced

        enforced(verdicts, running=running)


def ground_of(place: Place, image: str | None) -> Ground:
    """Return where a run is about to happen."""
    from ddspec.cli.place import Place

    return Ground(image, contained=place is Place.DOCKER)


def _presets(plan: Plan, loaded: Loaded | None) -> Collection[str] | None:
    """Return the presets of all variants; None for a plan file, which has their values only."""
    if loaded is None:
        return None
    used = dict.fromkeys(loaded.presets)
    for variant in plan.variants:
        chosen = variant.settings.get("preset")
        name = chosen.get("name") if isinstance(chosen, dict) else chosen
        used |= {name: None} if isinstance(name, str) else {}
    return tuple(used)


def _image(document: Path, ground: Ground | None) -> PinnedImage | None:
    """Return the image that a run would use; before one begins, none is known."""
    if ground is None or not ground.contained:
        return None
    from ddspec.engine.connect import connect
    from ddspec.engine.images import IMAGE, runner_image
    from ddspec.plan.policy import PinnedImage

    image = runner_image(connect(os.environ), ground.image or IMAGE)
    return PinnedImage(image.reference, image.digest)
