"""What was made from which sections of an experiment, so that variants share what they have alike.

The variants of a matrix share the sections that it leaves alone as the same objects. A function of
an experiment is called once for each choice of the sections that it reads: which those are is seen
while it runs, so a function that reads another section one day needs no entry anywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import attrgetter
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from ddspec.spec.experiment import Experiment

P = ParamSpec("P")
T = TypeVar("T")


class Memo:
    """Results of pure functions of an experiment, by the sections that they read."""

    def __init__(self) -> None:
        self._known: dict[object, dict[tuple[str, ...], _Results]] = {}
        self._sections: dict[tuple[str, object], object] = {}
        self._firsts: dict[tuple[object, ...], tuple[Any, ...]] = {}

    def each(
        self,
        makes: Sequence[Callable[Concatenate[Experiment, P], T]],
        experiment: Experiment,
        *rest: P.args,
        **named: P.kwargs,
    ) -> Iterator[T]:
        """Yield `make(experiment, *rest)` of each of `makes`, as `once` does.

        Faster for many: what reads nothing that is different from the first experiment is not even
        looked up.
        """
        call = (id(makes), *map(_token, rest), *map(_token, named.values()))
        first = self._firsts.get(call)
        if first is None:
            first = self._firsts[call] = (experiment, makes, rest, named, {})
        base, values = first[0], first[4]
        other = {name for name, section in experiment if section is not getattr(base, name)}
        for make in makes:
            if make in values and values[make][0].isdisjoint(other):
                yield values[make][1]
                continue
            value, names = self._made(make, experiment, *rest, **named)
            if experiment is base:
                values[make] = (frozenset(names), value)
            yield value

    def known(self, experiment: Experiment, like: Experiment) -> Experiment:
        """Return an experiment with sections seen before in place of equal ones.

        Those that it has in common with `like` are the same objects already.
        """
        known = {
            name: self._sections.setdefault((name, section), section)
            for name, section in experiment
            if section is not getattr(like, name)
        }
        return experiment.model_copy(update=known)

    def once(
        self,
        make: Callable[Concatenate[Experiment, P], T],
        experiment: Experiment,
        *rest: P.args,
        **named: P.kwargs,
    ) -> T:
        """Return `make(experiment, *rest)`, made before where it read the same sections.

        `make` is pure, and reads its first argument by attributes alone. Further arguments count
        as the same where they are the same object, or equal text and integers.
        """
        return self._made(make, experiment, *rest, **named)[0]

    def _made(
        self,
        make: Callable[Concatenate[Experiment, P], T],
        experiment: Experiment,
        *rest: P.args,
        **named: P.kwargs,
    ) -> tuple[T, Collection[str]]:
        """Return a result, and the names of the sections that it was made from."""
        call: tuple[object, ...] = (make, *map(_token, rest))
        if named:
            call += tuple((name, _token(value)) for name, value in named.items())
        known = self._known.get(call)
        if known is None:
            known = self._known[call] = {}
        for results in known.values():
            found = results.made.get(tuple(map(id, results.read(experiment))))
            if found is not None:
                return cast("T", found[0]), results.names
        traced = _Traced(experiment)
        value = make(cast("Experiment", traced), *rest, **named)
        results = known.setdefault(tuple(sorted(traced._read)), _Results(tuple(traced._read)))
        sections = results.read(experiment)
        # What is compared by its address is kept, so that no other object is ever found there.
        results.made[tuple(map(id, sections))] = (value, sections, rest, named)
        return value, results.names


class _Results:
    """Results of one call for different contents of the sections that it read."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.made: dict[tuple[int, ...], tuple[Any, ...]] = {}
        self.names = names
        self._get = attrgetter(*names) if names else None

    def read(self, experiment: Experiment) -> tuple[object, ...]:
        """Return the sections that the call read, of this experiment."""
        if self._get is None:
            return ()
        return self._get(experiment) if len(self.names) > 1 else (self._get(experiment),)


class _Traced:
    """An experiment that remembers which of its sections were read."""

    __slots__ = ("_experiment", "_read")

    def __init__(self, experiment: Experiment) -> None:
        self._experiment = experiment
        self._read: dict[str, None] = {}

    def __getattr__(self, name: str) -> Any:
        self._read[name] = None
        return getattr(self._experiment, name)


def _token(value: object) -> object:
    return value if type(value) is int or type(value) is str else (id(value),)
