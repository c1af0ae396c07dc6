"""Canonical forms that are made once: variants share most of what their keys are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from ddspec.canon import Digest, Json, assembled, canonical, digest_of
from ddspec.wire.model import WorkModel
from ddspec.wire.work import Work

SCALARS = (str, int, float)


class Forms:
    """Canonical forms of models by their address; each is kept, so that no address is used again.

    They are those of `canonical` over the whole: only pieces are remembered.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[bytes, object]] = {}

    def key(self, work: Work, inputs: Mapping[str, Digest]) -> Digest:
        """Return what `ddspec.plan.ir.stage_key` does."""
        given = assembled({name: b'"%s"' % key.encode() for name, key in inputs.items()})
        return digest_of(assembled({"inputs": given, "work": self._work(work)}))

    def fields(self, model: BaseModel, without: Iterable[str] = ()) -> bytes:
        """Return the form of a model's fields but some; those that are None are left out."""
        names = [name for name in type(model).model_fields if name not in without]
        values = ((name, getattr(model, name)) for name in names)
        return assembled(
            {name: self._value(model, name, value) for name, value in values if value is not None}
        )

    def _work(self, work: Work) -> bytes:
        known = self._known.get(id(work))
        if known is None:
            plain = type(work).identity is WorkModel.identity
            form = self.fields(work) if plain else canonical(work.identity())
            known = self._known[id(work)] = (form, work)
        return known[0]

    def _value(self, model: BaseModel, name: str, value: object) -> bytes:
        if isinstance(value, SCALARS):
            return canonical(value)
        if isinstance(value, BaseModel):
            return self._model(value)
        if isinstance(value, tuple) and all(isinstance(one, SCALARS) for one in value):
            return canonical(list(value))
        plain: dict[str, Json] = model.model_dump(mode="json", exclude_none=True, include={name})
        return canonical(plain[name])

    def _model(self, model: BaseModel) -> bytes:
        known = self._known.get(id(model))
        if known is None:
            form = canonical(model.model_dump(mode="json", exclude_none=True))
            known = self._known[id(model)] = (form, model)
        return known[0]
