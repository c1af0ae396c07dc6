"""What was published beside what was measured: one line an expectation.

Plain text of at most 100 columns, accuracies in percent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ddspec.canon import Json
from ddspec.console.columns import columns
from ddspec.console.durations import time_span
from ddspec.console.layout import wrapped
from ddspec.console.quantities import flops
from ddspec.plan.abilities import MissingPart
from ddspec.plan.forecast import Span
from ddspec.run.judgement import Verdict, band_of
from ddspec.run.scores import SETS
from ddspec.run.verification import Claim
from ddspec.visible import visible

WIDTH = 100
HEADING = ("variant", "network", "published", "measured", "n", "off by", "verdict")
LAW = (
    "reproduced: the 95 % interval of the mean lies within published ± tolerance, "
    "or that of a difference (>) above 0",
    "± of measured is the deviation over n networks trained on the set, not over sets",
)


@dataclass(frozen=True, slots=True)
class Left:
    """What a run would still have to do."""

    stages: int
    flops: int | None
    """None while the data are not locked."""
    span: Span | None = None
    """How long it takes; None where no device is known."""

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        seconds = None if self.span is None else self.span.plain()
        return {"stages": self.stages, "flops": self.flops, "seconds": seconds}


@dataclass(frozen=True, slots=True)
class Verified:
    """The expectations of one document, and what is left to run for them."""

    file: str
    title: str
    plan: str
    """Digest of the plan."""
    claims: Sequence[Claim]
    left: Mapping[str, Left]
    """By variant, those that have something left."""
    whole: Left
    """The same of all variants, where what they share counts once."""
    device: str
    """For which times are told; empty for none."""
    missing: Sequence[MissingPart]
    command: str
    """What runs it."""

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "file": self.file,
            "title": self.title,
            "plan": self.plan,
            "expectations": [claim.plain() for claim in self.claims],
            "left": self.whole.plain(),
            "left_by_variant": {name: left.plain() for name, left in self.left.items()},
            "device": self.device or None,
            "missing_parts": [{"part": one.part, "why": one.why} for one in self.missing],
            "command": self.command,
        }


def render_verified(found: Verified) -> str:
    """Return the tables of one document, one a protocol, and what may be done next."""
    lines = [visible(found.title)]
    for place in dict.fromkeys((claim.protocol, claim.on) for claim in found.claims):
        chosen = [claim for claim in found.claims if (claim.protocol, claim.on) == place]
        lines += ["", _judged(*place)]
        lines += dict.fromkeys(f"   {claim.note}" for claim in chosen if claim.note)
        lines += columns([HEADING, *(_row(claim, found) for claim in chosen)], left=2)
    return "\n".join([*lines, "", *_footer(found)])


def counted(claims: Sequence[Claim]) -> list[str]:
    """Return how many expectations have each verdict, in the order of verdicts."""
    counts = Counter(claim.verdict for claim in claims)
    return [f"{counts[verdict]:,} {verdict}" for verdict in Verdict if counts[verdict]]


def _judged(protocol: str, on: str) -> str:
    if not protocol:
        return " not evaluated"
    return f" by protocol {visible(protocol)}, on the {on} split; in percent"


def _row(claim: Claim, found: Verified) -> tuple[str, ...]:
    of = "" if claim.set == SETS[0] else f"{visible(claim.set)} on "
    score = claim.measured
    known = 0 if score is None else len(score.accuracies)
    repeats = str(known) if known == claim.planned else f"{known} of {claim.planned}"
    return (
        visible(claim.variant) or "-",
        of + visible(claim.network),
        _published(claim),
        "-" if score is None else _percent(score.mean, score.std),
        repeats,
        _difference(claim),
        _verdict(claim, found.left),
    )


def _published(claim: Claim) -> str:
    expected = claim.expected
    if expected.accuracy is None:
        return f"> {visible(expected.above or '')}"
    return _percent(expected.accuracy, band_of(expected.tolerance, expected.std))


def _percent(value: float, spread: float | None) -> str:
    return f"{100 * value:.1f}" + ("" if spread is None else f" ± {100 * spread:.1f}")


def _difference(claim: Claim) -> str:
    found = claim.judgement
    if found.difference is None:
        return "-"
    error = "" if found.error is None else f" ± {100 * found.error:.1f}"
    return f"{100 * found.difference:+.1f}{error}"


def _verdict(claim: Claim, left: Mapping[str, Left]) -> str:
    if claim.verdict is Verdict.NOT_RUN and claim.variant in left:
        span = left[claim.variant].span
        return "not run yet" if span is None else f"not run yet, {time_span(span)}"
    return claim.verdict.value


def _footer(found: Verified) -> Iterator[str]:
    yield from wrapped("together", counted(found.claims), WIDTH)
    whole = found.whole
    if whole.stages:
        parts = [f"{whole.stages:,} stage{'' if whole.stages == 1 else 's'}", flops(whole.flops)]
        if whole.span is not None:
            on = visible(found.device).removeprefix("one ")
            parts.append(f"{time_span(whole.span)} on one {on}")
        elif not found.device:
            parts.append("`--gpu a6000` tells how long that takes there")
        yield from wrapped("left to run", parts, WIDTH)
    for reason in dict.fromkeys(c.judgement.reason for c in found.claims if c.judgement.reason):
        yield from wrapped("no compare", [visible(reason)], WIDTH)
    if found.missing:
        parts = ["no runner of this version has", *(visible(one.part) for one in found.missing)]
        yield from wrapped("cannot run", parts, WIDTH)
    sources = dict.fromkeys(visible(claim.expected.source) for claim in found.claims)
    yield from wrapped("published", list(sources), WIDTH)
    yield from wrapped("how", LAW, WIDTH)
    if whole.stages and not found.missing:
        yield from wrapped("next", [f"`{visible(found.command)}`"], WIDTH)
