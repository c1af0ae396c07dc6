"""`ddspec verify`: does what was measured agree with what was published? Is the store sound?"""

from __future__ import annotations

from enum import StrEnum
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
    from ddspec.cli.spec_files import Broken
    from ddspec.cli.verified import Beside
    from ddspec.errors import Diagnostic
    from ddspec.run.judgement import Verdict


class Format(StrEnum):
    """How verdicts are told."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


Documents = Annotated[
    list[Path] | None, typer.Argument(metavar="[SPEC|PLAN|FOLDER]...", help="Whose expectations.")
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
    form: Annotated[
        Format, typer.Option("--format", help="How it is told; `markdown` as one summary.")
    ] = Format.TEXT,
    every: Annotated[
        bool, typer.Option("--all", help="In a summary also list what was not run.")
    ] = False,
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

    Looks only, unless `--run` is given: into the store, and into results that `ddspec gallery`
    recorded beside the specs. Exits 0 where every expectation of every spec is reproduced
    or within its tolerance, 1 where some is off, and 4 where none is off but some was not run yet,
    cannot be compared, or is ahead by what may be chance. Of a folder, all its specs are looked at
    and told in one summary; exits 3 where one of them does not compile.
    """
    if store:
        if documents or run:
            raise DdspecError("`--store` is of no spec", exit=Exit.USAGE)
        return _rehash(home, as_json=as_json)
    if not documents:
        hint = "name specs or folders of specs that expect something, or give `--store`"
        raise DdspecError("nothing to verify", exit=Exit.USAGE, hint=hint)
    asked = Asked(executor, device, jobs, image, gpus, together=together)
    form = Format.JSON if as_json else form
    several = any(document.is_dir() for document in documents) or form is Format.MARKDOWN or every
    from ddspec.cli.spec_files import Broken

    found: list[Beside] = []
    broken = Broken()
    for document in _named(documents):
        try:
            to_run = (asked, data, policy) if run else None
            one = _looked(document, variant, gpu, home, to_run, broken)
        except DdspecError as error:
            if not any(document.is_relative_to(named) for named in documents if named.is_dir()):
                raise
            broken.add(document, error)
            continue
        if one is None:
            return Exit.INTERRUPTED
        found.append(one)
    problems = broken.problems()
    if not problems and not any(one.verified.claims for one in found):
        files = ", ".join(f"`{document}`" for document in documents)
        raise DdspecError(f"nothing is expected in {files}", exit=Exit.USAGE, hint="add `expect:`")
    claims = [claim for one in found for claim in one.verified.claims]
    code = Exit.INVALID if problems else exit_of(claim.verdict for claim in claims)
    _show(found, problems, code, form, several=several, every=every)
    return code


def _named(documents: Sequence[Path]) -> Sequence[Path]:
    """Return what is named, folders as the specs in them."""
    if not any(document.is_dir() for document in documents):
        return documents
    from ddspec.cli.spec_files import named_specs

    return named_specs(documents)


def _looked(
    document: Path,
    variant: Sequence[str] | None,
    gpu: str | None,
    home: Path | None,
    to_run: tuple[Asked, Path | None, Path | None] | None,
    broken: Broken,
) -> Beside | None:
    """Judge one document, and first run what is left of it if asked; None where interrupted."""
    from ddspec.cli.inputs import existing_store, open_document
    from ddspec.cli.verified import verified

    opened = open_document(document)
    broken.passed(opened)
    if to_run is not None and _expecting(opened, variant):
        asked, data, policy = to_run
        if _run(opened, document, variant, asked, data, home, policy) is Exit.INTERRUPTED:
            return None
        opened = open_document(document)  # its data may have been locked just now
    return verified(opened, document, variant, existing_store(home), gpu)


def _show(
    found: Sequence[Beside],
    problems: Sequence[Diagnostic],
    code: Exit,
    form: Format,
    *,
    several: bool,
    every: bool,
) -> None:
    """Print documents one by one, or a summary of several; what is wrong goes to stderr."""
    from ddspec.cli.output import say, show, show_json
    from ddspec.cli.verified import left_together
    from ddspec.console.verify_summary import Summary, render_summary
    from ddspec.console.verify_view import render_verified

    documents = [one.verified for one in found]
    summary = Summary(documents, left_together(found), problems, int(code), every)
    if problems:
        say("\n".join(f"error: {problem}" for problem in problems))
    if form is Format.JSON:
        show_json(summary.plain())
    elif form is Format.MARKDOWN:
        from ddspec.console.verify_markdown import summary_markdown

        show(summary_markdown(summary))
    elif several:
        show(render_summary(summary))
    else:
        show("\n\n".join(render_verified(one) for one in documents if one.claims))


def exit_of(verdicts: Iterable[Verdict]) -> Exit:
    """Return the exit code that says the same as some verdicts."""
    from ddspec.run.judgement import MET, Verdict

    known = set(verdicts)
    if Verdict.OFF in known:
        return Exit.FAILED
    return Exit.DONE if known <= set(MET) else Exit.CHANGED


def _expecting(opened: Opened, variants: Sequence[str] | None) -> list[str]:
    """Return the variants that expect something, and those that they are to be above."""
    from ddspec.run.verification import named_by

    plan, names = opened.only(variants).plan, [one.name for one in opened.plan.variants]
    found: dict[str, None] = {}
    for one in plan.variants:
        for expected in one.experiment.expect:
            found[one.name] = None
            if expected.above is not None:
                found.update(dict.fromkeys(named_by(names, expected.above)))
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
