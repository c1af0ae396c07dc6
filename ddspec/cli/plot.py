"""`ddspec plot`: accuracies along a budget, the work behind them, or a setting, as a figure."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Home, Variants
from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ddspec.canon import Json
    from ddspec.run.evidence import Evidence
    from ddspec.run.plot_choice import Result
    from ddspec.run.plot_points import Plotted

SHOWN = 8
"""Results that are left out and named."""


class Split(StrEnum):
    """Which real images were predicted."""

    TEST = "test"
    VALIDATION = "validation"


FILES_TELL = "files of results tell no more than `images_per_class`, `gpu_hours` and `flops`"


def plot(
    documents: Annotated[
        list[Path],
        typer.Argument(
            metavar="DOC", help="Specs, plan files, results as JSON, or folders of them."
        ),
    ],
    x: Annotated[
        str,
        typer.Option(
            "--x",
            metavar="WHAT",
            help="`images_per_class`, `outer_loops`, `steps`, `gpu_hours`, `flops`, or a setting: "
            "`pool.models`.",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="FILE", help="Where to: `.svg` or `.png`."),
    ] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SET", help="By default `distilled`; repeated, more: `random`, `init`."
        ),
    ] = None,
    network: Annotated[
        str | None, typer.Option("--network", metavar="NAME", help="Judged by this network.")
    ] = None,
    protocol: Annotated[
        str | None,
        typer.Option("--protocol", metavar="NAME", help="Its name, or the start of its digest."),
    ] = None,
    labels: Annotated[
        str | None, typer.Option("--labels", metavar="KIND", help="`hard`, `soft`, `learned`.")
    ] = None,
    on: Annotated[Split | None, typer.Option("--on", help="Images that were predicted.")] = None,
    title: Annotated[
        str | None, typer.Option("--title", metavar="TEXT", help="By default the spec's.")
    ] = None,
    log: Annotated[
        bool | None,
        typer.Option("--log/--linear", help="Of the axis; by default as its values are spread."),
    ] = None,
    references: Annotated[
        bool,
        typer.Option(
            "--references/--no-references", help="Draw full data, and sets that are the same along."
        ),
    ] = True,
    variant: Variants = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
    home: Home = None,
) -> Exit:
    """Draw accuracies along a budget, the work behind them, or a setting.

    Runs nothing. Results that were not measured alike are refused: choose with `--network`,
    `--protocol` and `--labels`.
    """
    from ddspec.cli.documents import gather
    from ddspec.cli.output import say, show_json
    from ddspec.run.plot_axis import require_known
    from ddspec.run.plot_choice import Choice, results_of
    from ddspec.run.plot_figure import figure, plain, words_of
    from ddspec.run.plot_points import plotted

    form = _form(output, as_json=as_json, force=force)
    evidence = gather(documents, home, variant)
    require_known(x, evidence)
    choice = Choice(tuple(sets or ("distilled",)), network, protocol, labels, on)
    results = results_of(evidence, choice)
    shown = _without(plotted(results, x), evidence, results)
    if not references:
        shown = replace(shown, references=())
    for remark in _remarks(results, shown):
        say(remark)
    if not shown.lines:
        raise DdspecError(
            "no result has a place in this figure",
            exit=Exit.INVALID,
            hint=FILES_TELL if any(one.plan is None for one in evidence) else "",
        )
    words = words_of(results, shown, title)
    if output is not None:
        _write(output, form, figure(shown, words, log=log), force=force)
        say(f"wrote {output}")
    if as_json:
        show_json(plain(shown, words, results))
    return Exit.DONE


def _form(output: Path | None, *, as_json: bool, force: bool) -> str:
    if output is None:
        if as_json:
            return ""
        raise DdspecError("no file to draw into", exit=Exit.USAGE, hint="`-o FIGURE.svg`")
    form = output.suffix.removeprefix(".").lower()
    if form not in ("svg", "png"):
        raise DdspecError(
            f"`{output}` is neither `.svg` nor `.png`", exit=Exit.USAGE, hint="`-o FIGURE.svg`"
        )
    if output.exists() and not force:
        raise _exists(output)
    if not output.parent.is_dir():
        raise DdspecError(f"there is no folder `{output.parent}`", exit=Exit.USAGE)
    return form


def _write(output: Path, form: str, asked: Json, *, force: bool) -> None:
    from base64 import b64decode

    from ddspec.disk import create_whole, write_whole
    from ddspec.run.analysis import ask

    answer = ask("draw", {"format": form, "figures": [asked]})
    drawn = answer["figures"][0] if isinstance(answer, dict) else ""
    content = b64decode(str(drawn)) if form == "png" else (_alone(str(drawn)) + "\n").encode()
    if force:
        write_whole(output, content)
    elif not create_whole(output, content):
        raise _exists(output)


def _alone(svg: str) -> str:
    """Return a drawing as a file of its own: dark ink on white, whatever it is shown on."""
    head, _, rest = svg.partition(">")
    return f'{head} color="#111"><rect width="100%" height="100%" fill="#fff"/>{rest}'


def _exists(output: Path) -> DdspecError:
    return DdspecError(
        f"`{output}` exists", exit=Exit.USAGE, hint="`--force` replaces it, `-o` names another"
    )


def _without(shown: Plotted, evidence: Sequence[Evidence], results: Sequence[Result]) -> Plotted:
    """Return what is plotted with the experiments that nothing is shown of."""
    from ddspec.run.plot_points import LeftOut

    there = {one.evidence.of for one in results}
    absent = [LeftOut(one.of, _absent(one)) for one in evidence if one.of not in there]
    return replace(shown, left_out=tuple(dict.fromkeys([*shown.left_out, *absent])))


def _remarks(results: Sequence[Result], shown: Plotted) -> list[str]:
    """Return what a figure does not show, and what it shows in part."""
    from ddspec.run.plot_figure import units_of

    left = shown.left_out
    told = [f"left out: {one.of}: {one.why}" for one in left[:SHOWN]]
    if len(left) > SHOWN:
        told.append(f"left out: {len(left) - SHOWN} more")
    short = [one for one in results if len(one.score.accuracies) < one.score.planned]
    told += [
        f"note: {one.evidence.of}, {one.score.set}: {len(one.score.accuracies)} of "
        f"{one.score.planned} repeats are finished"
        for one in short[:SHOWN]
    ]
    units = units_of(shown)
    if len(units) > 1:
        told.append(f"note: hours of different machines: {'; '.join(units)}")
    return told


def _absent(one: Evidence) -> str:
    if one.missing:
        return f"unfinished, {len(one.missing)} stages are not in the store"
    return "it has no result that was asked for"
