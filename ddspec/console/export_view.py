"""What an export says: accuracies before and after rounding, what was cut off, where it lies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from pydantic import JsonValue

from ddspec.console.layout import wrapped
from ddspec.console.quantities import count, size
from ddspec.run.exporting import Export
from ddspec.run.rounding import Paired
from ddspec.visible import visible

WIDTH = 100
NAMES = {"png": "pictures in a folder for each class", "npz": "numpy", "parquet": "Parquet"}
UNMEASURED = "not measured: export without `--no-evaluate`, or `ddspec results` for the learned set"


def render_export(title: str, found: Export, where: str, sizes: tuple[int, int]) -> str:
    """Return the summary; at most 100 columns but for paths."""
    blocks = [
        wrap(title, WIDTH),
        *([wrapped("note", [found.note], WIDTH)] if found.note else []),
        list(_accuracies(found.accuracy)),
        [*_moved(found.figures)],
        list(_place(found, where, sizes)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _accuracies(found: Sequence[Paired]) -> Iterator[str]:
    if not found:
        yield from wrapped("accuracy", [f"after rounding {UNMEASURED}"], WIDTH)
        return
    judged = {(one.protocol, one.on) for one in found}
    for protocol, on in sorted(judged):
        rows = [one for one in found if (one.protocol, one.on) == (protocol, on)]
        width = max(len(visible(one.network)) for one in rows)
        yield f" by protocol {visible(protocol)}, on the {on} split; in percent"
        heads = f"{'as learned':>14}  {'in 8 bits':>14}  {'n':>6}  {'difference':>14}"
        yield f" {'network':<{width}}  {heads}"
        yield from (_row(one, width) for one in rows)
    yield " difference: of trainings from the same seeds, ± its standard error"


def _row(one: Paired, width: int) -> str:
    difference = f"{100 * one.difference:+.2f}"
    if one.standard_error is not None:
        difference += f" ± {100 * one.standard_error:.2f}"
    n = len(one.before)
    networks = f"{n} of {one.planned}" if n < one.planned else str(n)
    before, after = (spread(values) for values in (one.before, one.after))
    name = f"{visible(one.network):<{width}}"
    return f" {name}  {before:>14}  {after:>14}  {networks:>6}  {difference:>14}"


def spread(values: Sequence[float]) -> str:
    """Return mean and deviation in percent: `91.35 ± 0.38`; one value has no deviation."""
    from statistics import fmean, stdev

    mean = f"{100 * fmean(values):.2f}"
    return f"{mean} ± {100 * stdev(values):.2f}" if len(values) > 1 else mean


def changes(figures: Mapping[str, JsonValue]) -> dict[str, str]:
    """Return in words what limiting and rounding did to values; levels are those of 8 bits."""
    share, cut, most, off, off_most = (
        _number(figures, name)
        for name in ("clamped_share", "clamp_mean", "clamp_max", "round_mean", "round_max")
    )
    clamped = f"{100 * share:.1f} % of values were outside of what a picture holds"
    if share:
        clamped += f", by {255 * cut / share:.1f} levels in the mean and {255 * most:.1f} at most"
    rounded = f"by {255 * off:.2f} levels of 256 in the mean and {255 * off_most:.2f} at most"
    return {"clamped": clamped, "rounded": rounded}


def _number(figures: Mapping[str, JsonValue], name: str) -> float:
    value = figures.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _moved(figures: Mapping[str, JsonValue]) -> Iterator[str]:
    for name, words in changes(figures).items():
        yield from wrapped(name, [words], WIDTH)


def _place(found: Export, where: str, sizes: tuple[int, int]) -> Iterator[str]:
    files, total = sizes
    one = "file" if files == 1 else "files"
    facts = f"{count(found.images)} images, {count(files)} {one}, {size(total)}"
    yield from wrapped("wrote", [NAMES[found.kind], facts], WIDTH)
    yield f" {'to':<10} {visible(where)}"
    yield f" {'read':<10} {visible(where)}/README.md"
