"""From evidence to tables: which numbers stand in one table, and in which row of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from ddspec.canon import Digest
from ddspec.run.costs import Cost
from ddspec.run.evidence import Evidence, Method, methods_of
from ddspec.run.scores import SETS, Score, judged
from ddspec.run.tables import BEST, LAST, Block, Cell, Place, Row
from ddspec.spec.baselines import REAL

FREE = frozenset({"random", "random_hard", "init"})
"""Sets that are drawn, so that their cost says nothing."""
SHOWN = {"full": "full data"}


@dataclass(frozen=True, slots=True)
class Measured:
    """The accuracies of one method, or of one of its baselines, under one budget."""

    place: Place
    column: int | None
    set: str
    labels: str
    method: Method
    cell: Cell


def blocks_of(evidence: Iterable[Evidence]) -> tuple[Block, ...]:
    """Return a table for each dataset, network, protocol and split, in order of appearance.

    Numbers under other protocols or on other test images stand in tables of their own; labels of
    other kinds in rows of their own, which say so. Experiments of which nothing is known are left
    out, unless others of their document are known.
    """
    methods = methods_of(_begun(tuple(evidence)))
    found = [one for method in methods for one in _measured(method)]
    names = _names(found)
    placed: dict[Place, list[Measured]] = {}
    for one in found:
        placed.setdefault(one.place, []).append(one)
    blocks = [_block(place, some, names) for place, some in placed.items()]
    known = [block for block in blocks if any(cell.levels for cell in block.cells())]
    return tuple(_told_apart(known))


def _begun(evidence: Sequence[Evidence]) -> Iterator[Evidence]:
    begun = {one.document for one in evidence if one.scores}
    return (one for one in evidence if one.document in begun)


def _measured(method: Method) -> Iterator[Measured]:
    """Yield every cell that a method has or is to have."""
    wanted: dict[tuple[Place, str, str], list[tuple[Evidence, Score]]] = {}
    for one in method.replicates:
        for score in _all_scores(one):
            place = _place(one, score, LAST)
            wanted.setdefault((place, score.set, score.labels), []).append((one, score))
            if (best := score.on_validation) is not None:
                place = _place(one, best, BEST)
                wanted.setdefault((place, best.set, best.labels), []).append((one, best))
    for (place, set_name, labels), scores in wanted.items():
        cell = _cell(set_name, scores)
        yield Measured(place, method.first.images_per_class, set_name, labels, method, cell)


def _all_scores(one: Evidence) -> Iterator[Score]:
    """Yield the scores of an experiment, and empty ones for those that are not there yet."""
    yield from one.scores
    known = {(score.set, *score.place) for score in one.scores}
    waiting: dict[tuple[str, ...], list[str]] = {}
    for it in judged(one.plan or ()):
        if it.set in SETS and it.group not in known:
            waiting.setdefault(it.group, []).append(it.labels)
    for group, labels in waiting.items():
        name, network, protocol, on = group
        yield Score(name, network, protocol, on, (), planned=len(labels), labels=labels[0])


def _place(one: Evidence, score: Score, which: str) -> Place:
    return Place(
        one.dataset, one.test_set, score.network, score.protocol, one.protocol, score.on, which
    )


def _cell(set_name: str, scores: Sequence[tuple[Evidence, Score]]) -> Cell:
    costs = [one.costs.get(set_name) or _own(one, set_name) for one, _ in scores]
    return Cell(
        levels=tuple(score.accuracies for _, score in scores if score.accuracies),
        sets=len(scores),
        planned=sum(score.planned for _, score in scores),
        cost=Cost() if set_name in FREE else mean_cost(costs),
        keys=frozenset(key for _, score in scores for key in score.keys),
        of=tuple(dict.fromkeys(one.of for one, _ in scores)),
    )


def _own(one: Evidence, set_name: str) -> Cost:
    return one.cost if set_name == SETS[0] else Cost()


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """Return the mean of what replicates took; unknown where that of one is."""
    seconds = [cost.seconds for cost in costs if cost.seconds is not None]
    flops = [cost.flops for cost in costs if cost.flops is not None]
    devices = {name for cost in costs for name in cost.device.split(", ") if name}
    return Cost(
        sum(seconds) / len(costs) if len(seconds) == len(costs) else None,
        ", ".join(sorted(devices)),
        round(sum(flops) / len(costs)) if len(flops) == len(costs) else None,
    )


def _names(found: Sequence[Measured]) -> Mapping[int, str]:
    """Return what rows call each method, by its address: so much that no cell holds two."""
    rows: dict[str, list[Measured]] = {}
    for one in found:
        if one.set == SETS[0]:
            rows.setdefault(one.method.named.row, []).append(one)
    numbers = count(1)
    wider: tuple[Callable[[Evidence], str], ...] = (
        lambda one: one.row,
        lambda one: f"{one.row} ({one.name})",
        lambda one: f"{one.row} ({one.of})",
        lambda one: f"{one.row} ({one.document})",
        lambda one: f"{one.row} ({one.of}, {next(numbers)})",
    )
    names: dict[int, str] = {}
    for members in rows.values():
        for name in wider:
            called = {id(one.method): one.method for one in members}
            chosen = {key: name(method.named) for key, method in called.items()}
            if _is_clear(members, chosen):
                break
        names |= chosen
    return names


def _is_clear(members: Sequence[Measured], names: Mapping[int, str]) -> bool:
    places = {(one.place, one.column, one.labels, names[id(one.method)]) for one in members}
    return len(places) == len(members)


def _block(place: Place, found: Sequence[Measured], names: Mapping[int, str]) -> Block:
    rows = list(_method_rows([one for one in found if one.set == SETS[0]], names))
    for name in SETS[1:]:
        chosen = [one for one in found if one.set == name]
        for labels in dict.fromkeys(one.labels for one in chosen):
            rows += _baseline_rows([one for one in chosen if one.labels == labels], names)
    return Block(place, tuple(rows))


def _method_rows(found: Sequence[Measured], names: Mapping[int, str]) -> Iterator[Row]:
    rows: dict[tuple[str, str], dict[int | None, Cell]] = {}
    for one in found:
        rows.setdefault((names[id(one.method)], one.labels), {})[one.column] = one.cell
    for (name, labels), cells in rows.items():
        yield Row(name, SETS[0], labels, cells, frozenset({name}))


def _baseline_rows(found: Sequence[Measured], names: Mapping[int, str]) -> Iterator[Row]:
    """Yield one row where all methods are compared with the same runs, else one for each of them.

    Real images under budgets of different methods make one row too, as long as no cell holds
    others; initialisations do not, which are of a method.
    """
    rows: list[Row] = []
    for name in dict.fromkeys(_name_of(one, names) for one in found):
        own = {one.column: one.cell for one in found if _name_of(one, names) == name}
        new = Row(found[0].set, found[0].set, found[0].labels, own, frozenset({name}))
        at = next((at for at, row in enumerate(rows) if _is_same(row, new)), None)
        if at is None:
            rows.append(new)
        else:
            rows[at] = _joined(rows[at], new)
    for row in rows:
        title = SHOWN.get(row.set, row.set.replace("_", " "))
        yield replace(row, name=title if len(rows) == 1 else f"{title} ({min(row.methods)})")


def _name_of(one: Measured, names: Mapping[int, str]) -> str:
    return names.get(id(one.method), one.method.named.row)


def _is_same(row: Row, new: Row) -> bool:
    both = row.cells.keys() & new.cells.keys()
    if not both:
        return row.set in REAL or row.set == "full"
    return all(_same_runs(row.cells[at], new.cells[at]) for at in both)


def _same_runs(one: Cell, other: Cell) -> bool:
    """Return whether two cells are of the same evaluations, though of one more may be known."""
    if one.keys and other.keys:
        return one.keys <= other.keys or other.keys <= one.keys
    return not one.levels or not other.levels or one.levels == other.levels


def _joined(row: Row, new: Row) -> Row:
    cells = dict(row.cells)
    for at, cell in new.cells.items():
        if at not in cells or cell.networks > cells[at].networks:
            cells[at] = cell
    return replace(row, cells=cells, methods=row.methods | new.methods)


def _told_apart(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield blocks of which none is called as another one of other protocols or test images."""
    alike: dict[str, list[Place]] = {}
    for block in blocks:
        alike.setdefault(block.title, []).append(block.place)
    for block in blocks:
        places = alike[block.title]
        marks = [
            *_mark("protocol", block.place.protocol_digest, {p.protocol_digest for p in places}),
            *_mark("test images", block.place.test_set, {p.test_set for p in places}),
        ]
        yield replace(block, mark=", ".join(marks))


def _mark(what: str, own: Digest | None, every: set[Digest | None]) -> list[str]:
    if len(every) < 2:
        return []
    return [f"{what} {own[:8] if own else 'unknown'}"]
