"""The results of two documents side by side: for `ddspec diff`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.cli.sides import Side
    from ddspec.run.inference import Inferences
    from ddspec.run.pairs import Paired


@dataclass(frozen=True, slots=True)
class Beside:
    """Results side by side, and what was inferred from them."""

    paired: Paired
    told: Inferences | None
    """None where statistics are not installed."""

    def require_some(self) -> None:
        """Raise `DdspecError` (refused) where nothing may be compared."""
        pairs = self.paired.pairs
        if not pairs:
            raise DdspecError(
                "these results do not compare: no set was measured on the same network in both",
                exit=Exit.REFUSED,
                hint="`--force` lists what each of them has",
            )
        if all(pair.unlike for pair in pairs):
            facts = dict.fromkeys(
                f"{one.fact} is {one.before} before and {one.after} after"
                for pair in pairs
                for one in pair.unlike
            )
            raise DdspecError(
                "these results do not compare: " + "; ".join(facts),
                exit=Exit.REFUSED,
                hint="`--force` compares them all the same, and marks every row",
            )


def beside(old: Side, new: Side, *, force: bool) -> Beside:
    """Pair the results of two sides, and infer what they say; a note where that needs more."""
    from ddspec.cli.output import say
    from ddspec.run.inference import infer
    from ddspec.run.pairs import paired

    found = paired(old.evidence, new.evidence)
    try:
        return Beside(found, infer(found.pairs, force=force))
    except DdspecError as error:
        if error.exit is not Exit.UNABLE:
            raise
        say(f"note: no intervals, {error.diagnostics[0].message}: `pip install 'ddspec[report]'`")
        return Beside(found, None)
