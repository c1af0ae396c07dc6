"""What was published beside what was measured: one line an expectation.

Plain text of at most 100 columns, accuracies in percent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
from ddspec.run.witness import Witness
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
    uncounted: int = 0
    """Stages of documents whose work is not known before their data are locked."""

    def plus(self, other: Left) -> Left:
        """Return both together; what is not counted of one is left out of the counts of both."""
        if not self.stages or not other.stages:
            return other if other.stages else self
        counts = [one.flops for one in (self, other) if one.flops is not None]
        spans = [one.span for one in (self, other) if one.span is not None]
        return Left(
            stages=self.stages + other.stages,
            flops=sum(counts) if counts else None,
            span=Span(sum(one.low_s for one in spans), sum(one.high_s for one in spans))
            if spans
            else None,
            uncounted=self.uncounted + other.uncounted,
        )

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
    witnesses: Sequence[Witness | None] = ()
    """Who made what each claim is judged by, in their order; None where nothing was measured."""
    from_data: str = ""
    """The option that a run of it needs, with a space before it; empty for none."""
    damaged: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with stored evaluations, by label."""

    def makes(self, claim: Claim) -> str:
        """Return the command that makes what a claim is judged by."""
        asked = [
            *_globs(claim.variant, claim.variants),
            *_globs(claim.expected.above, claim.others),
        ]
        only = "".join(f" --variant {name}" for name in asked)
        return f"ddspec run {self.file}{only}{self.from_data}"

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        return {
            "file": self.file,
            "title": self.title,
            "plan": self.plan,
            "expectations": [
                {**claim.plain(), "evidence": self._evidence(claim, witness)}
                for claim, witness in zip(self.claims, self.witnesses, strict=True)
            ],
            "damaged": dict(self.damaged),
            "left": self.whole.plain(),
            "left_by_variant": {name: left.plain() for name, left in self.left.items()},
            "device": self.device or None,
            "missing_parts": [{"part": one.part, "why": one.why} for one in self.missing],
            "command": self.command,
        }

    def _evidence(self, claim: Claim, witness: Witness | None) -> Json:
        return None if witness is None else {**witness.plain(), "command": self.makes(claim)}


def _globs(name: str | None, variants: Sequence[str]) -> list[str]:
    """Return how variants are asked for: replicates together, and nothing where all are meant."""
    if len(variants) > 1:
        return [f"'{name}-seed-*'"] if name else []
    return [one for one in variants if one]


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
    return (
        *named(claim),
        published(claim),
        measured(claim),
        repeats(claim),
        difference(claim),
        _verdict(claim, found.left),
    )


def named(claim: Claim) -> tuple[str, str]:
    """Return the variant, and the network with the set where it is not the distilled one."""
    of = "" if claim.set == SETS[0] else f"{visible(claim.set)} on "
    return visible(claim.variant) or "-", of + visible(claim.network)


def measured(claim: Claim) -> str:
    """Return what the claim is judged by, in percent: over sets where there are replicates."""
    return "-" if claim.sample is None else percent(claim.sample.mean, claim.sample.std)


def repeats(claim: Claim) -> str:
    """Return how many networks are known, of how many where some lack."""
    known = 0 if claim.measured is None else len(claim.measured.accuracies)
    return str(known) if known == claim.planned else f"{known} of {claim.planned}"


def published(claim: Claim) -> str:
    """Return what was published, in percent with its tolerance, or what is to be below."""
    expected = claim.expected
    if expected.accuracy is None:
        return f"> {visible(expected.above or '')}"
    return percent(expected.accuracy, band_of(expected.tolerance, expected.std))


def percent(value: float, spread: float | None) -> str:
    """Return a fraction and its spread in percent."""
    return f"{100 * value:.1f}" + ("" if spread is None else f" ± {100 * spread:.1f}")


def difference(claim: Claim) -> str:
    """Return how far off in points, with half of the 95 % interval; `-` for unknown."""
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


def left_words(left: Left, device: str) -> list[str]:
    """Return how much is left to run, and for how long on a device; nothing where nothing is."""
    if not left.stages:
        return []
    parts = [f"{left.stages:,} stage{'' if left.stages == 1 else 's'}", flops(left.flops)]
    if left.span is not None:
        parts.append(f"{time_span(left.span)} on one {visible(device).removeprefix('one ')}")
    elif not device:
        parts.append("`--gpu a6000` tells how long that takes there")
    if left.uncounted:
        parts.append(f"{left.uncounted:,} of the stages not counted before their data are locked")
    return parts


def _footer(found: Verified) -> Iterator[str]:
    yield from wrapped("together", counted(found.claims), WIDTH)
    whole = found.whole
    if whole.stages:
        yield from wrapped("left to run", left_words(whole, found.device), WIDTH)
    if found.damaged:
        parts = [f"{visible(label)}: {visible(why)}" for label, why in found.damaged.items()]
        yield from wrapped("damaged", parts, WIDTH)
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
