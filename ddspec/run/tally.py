"""How many published rows are reproduced, by where they were published. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ddspec.canon import Json
from ddspec.run.judgement import Verdict
from ddspec.run.verification import Claim


@dataclass(frozen=True, slots=True)
class Tally:
    """The rows of one table of one publication."""

    paper: str
    """What a source says before its first comma: `Acc-DD (CVPR 2023)`."""
    table: str
    """What it says next, without remarks behind a colon: `Table 1, CIFAR-10`; empty for nothing."""
    counts: Mapping[Verdict, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Return how many are expected."""
        return sum(self.counts.values())

    def count(self, verdict: Verdict) -> int:
        """Return how many have a verdict."""
        return self.counts.get(verdict, 0)

    def plain(self) -> dict[str, Json]:
        """Return it as it is printed with `--json`."""
        counts: dict[str, Json] = {one.value: self.count(one) for one in Verdict}
        return {"paper": self.paper, "table": self.table, "rows": self.rows, "verdicts": counts}


def tallies(claims: Iterable[Claim]) -> tuple[Tally, ...]:
    """Return the counts of each table, papers in the order of appearance, tables by their name."""
    found: dict[tuple[str, str], dict[Verdict, int]] = {}
    for claim in claims:
        counts = found.setdefault(place_of(claim.expected.source), {})
        counts[claim.verdict] = counts.get(claim.verdict, 0) + 1
    papers = list(dict.fromkeys(paper for paper, _ in found))
    ordered = sorted(found, key=lambda place: (papers.index(place[0]), place[1]))
    return tuple(Tally(*place, found[place]) for place in ordered)


def place_of(source: str) -> tuple[str, str]:
    """Return publication and table of a source.

    >>> place_of("Acc-DD (CVPR 2023), Table 1, CIFAR-10")
    ('Acc-DD (CVPR 2023)', 'Table 1, CIFAR-10')
    >>> place_of("Acc-DD (CVPR 2023), Fig. 6: similar to 5")
    ('Acc-DD (CVPR 2023)', 'Fig. 6')
    """
    paper, _, rest = source.partition(":")[0].partition(", ")
    return paper.strip(), rest.strip()
