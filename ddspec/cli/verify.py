"""`ddspec verify`: does what was measured agree with what was published? Is the store sound?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Data, Device, Home, Variants
from ddspec.cli.place import Asked, Gpus, Image, Place, Together, Where
from ddspec.cli.policy import PolicyFile
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ddspec.cli.inputs import Opened
    from ddspec.console.verify_view import Verified
    from ddspec.run.judgement import Verdict

Documents = Annotated[
    list[Path] | None, typer.Argument(metavar="[SPEC|PLAN]...", help="Whose expectations.")
]


def verify(
    documents: Documents = None,
    variant: Variants = None,
    run: Annotated[
        bool, typer.Option("--run", help="First run what is not in the store yet.")
    ] = False,
    store: Annotated[
        bool, typer.Option("--store", help="Rehash every file of every stored output instead.")
    ] = False,
    gpu: Annotated[
        str | None,
        typer.Option("--gpu", metavar="NAME", help="Forecast what is left on it: `a6000`, `cpu`."),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, metavar="N", help="With --run, as `run`.")
    ] = None,
    data: Data = None,
    home: Home = None,
    as_json: AsJson = False,
    device: Annotated[
        Device, typer.Option("--device", help="With --run: where stages compute.")
    ] = Device.AUTO,
    executor: Where = Place.LOCAL,
    image: Image = None,
    gpus: Gpus = None,
    together: Together = False,
    policy: PolicyFile = None,
) -> Exit:
    """Compare results with what was published, or read the store again.

    Looks only, unless `--run` is given. Exits 0 where every expectation of every spec is reproduced
    or within its tolerance, 1 where some is off, and 4 where none is off but some was not run yet,
    cannot be compared, or is ahead by what may be chance.
    """
    if store:
        if documents or run:
            raise DdspecError("`--store` is of no spec", exit=Exit.USAGE)
        return _rehash(home, as_json=as_json)
    if not documents:
        hint = "name specs that expect something, or give `--store`"
        raise DdspecError("nothing to verify", exit=Exit.USAGE, hint=hint)
    from ddspec.cli.inputs import open_document
    from ddspec.cli.output import show, show_json
    from ddspec.console.verify_view import render_verified

    found = []
    asked = Asked(executor, device, jobs, image, gpus, together=together)
    for document in documents:
        opened = open_document(document)
        if run and _expecting(opened, variant):
            ended = _run(opened, document, variant, asked, data, home, policy)
            if ended is Exit.INTERRUPTED:
                return ended
            opened = open_document(document)  # its data may have been locked just now
        found.append(_verified(opened, document, variant, home, gpu))
    if not any(one.claims for one in found):
        files = ", ".join(f"`{document}`" for document in documents)
        raise DdspecError(f"nothing is expected in {files}", exit=Exit.USAGE, hint="add `expect:`")
    code = exit_of(claim.verdict for one in found for claim in one.claims)
    if as_json:
        documents_json = [one.plain() for one in found]
        show_json(
            {"format": "ddspec.verification/1", "documents": documents_json, "exit": int(code)}
        )
    else:
        show("\n\n".join(render_verified(one) for one in found if one.claims))
    return code


def exit_of(verdicts: Iterable[Verdict]) -> Exit:
    """Return the exit code that says the same as some verdicts."""
    from ddspec.run.judgement import MET, Verdict

    known = set(verdicts)
    if Verdict.OFF in known:
        return Exit.FAILED
    return Exit.DONE if known <= set(MET) else Exit.CHANGED


def _expecting(opened: Opened, variants: Sequence[str] | None) -> list[str]:
    """Return the variants that expect something, and those that they are to be above."""
    plan = opened.only(variants).plan
    found: dict[str, None] = {}
    for one in plan.variants:
        for expected in one.experiment.expect:
            found[one.name] = None
            if expected.above is not None:
                found[expected.above] = None
    return list(found)


def _run(
    opened: Opened,
    document: Path,
    variants: Sequence[str] | None,
    asked: Asked,
    data: Path | None,
    home: Path | None,
    policy: Path | None,
) -> Exit:
    """Run what is left of the variants that expect something; say what failed."""
    from ddspec.cli.output import say
    from ddspec.cli.report import report_of_run
    from ddspec.cli.run import carry_out
    from ddspec.console.results_view import failure_block

    names = _expecting(opened, variants) if opened.plan.is_matrix else None
    done = carry_out(opened, document, names, asked, data, home, policy)
    report_of_run(done.plan, done.outcome, done.store)
    if done.outcome.exit is Exit.FAILED:
        say("\n".join(failure_block(done.outcome.stages)))
    return done.outcome.exit


def _verified(
    opened: Opened,
    document: Path,
    variants: Sequence[str] | None,
    home: Path | None,
    gpu: str | None,
) -> Verified:
    from ddspec.cli.inputs import existing_store
    from ddspec.cli.left import forecaster
    from ddspec.cli.report import headline, metrics_of
    from ddspec.cli.surroundings import read_from_data
    from ddspec.console.verify_view import Verified
    from ddspec.plan.abilities import missing_parts
    from ddspec.run.verification import claims_of

    plan, store = opened.plan, existing_store(home)
    chosen = {one.name for one in opened.only(variants).plan.variants}
    claims = [one for one in claims_of(plan, metrics_of(plan, store)) if one.variant in chosen]
    of = forecaster(plan, store, gpu)
    waiting = dict.fromkeys(claim.variant for claim in claims if claim.is_left)
    others = [claim.expected.above for claim in claims if claim.is_left and claim.expected.above]
    whole, stages = of.left({*waiting, *others})
    from_data = " --data DIR" if read_from_data(plan) else ""
    only = "".join(f" --variant '{glob}'" for glob in variants or ())
    return Verified(
        file=str(document),
        title=headline(plan),
        plan=plan.digest,
        claims=claims,
        left={name: of.left([name])[0] for name in waiting},
        whole=whole,
        device=of.device,
        missing=missing_parts(stages),
        command=f"ddspec verify {document}{only} --run{from_data}",
    )


def _rehash(home: Path | None, *, as_json: bool) -> Exit:
    """Rehash what is in the store; what is damaged is made again by `ddspec run`."""
    from ddspec.cli.inputs import existing_store, home_of
    from ddspec.cli.output import show, show_json

    opened = existing_store(home)
    if opened is None:
        raise DdspecError(f"no store at `{home_of(home)}`", exit=Exit.UNABLE)
    found = dict(opened.objects.verify_all())
    damaged = {key: problem for key, problem in found.items() if problem is not None}
    if as_json:
        show_json({"format": "ddspec.verify/1", "objects": len(found), "damaged": damaged})
    else:
        lines = [f"{key[:16]}  {problem}" for key, problem in damaged.items()]
        show("\n".join([*lines, f"{len(found)} objects, {len(damaged)} damaged"]))
    return Exit.FAILED if damaged else Exit.DONE
