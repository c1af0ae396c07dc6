"""Evaluation protocols by name: how published results were measured.

Each is a file of data under `protocols/`, where every value has its source; a file is read when its
protocol is first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ddspec.spec.base import Name, SpecModel, Text
from ddspec.spec.evaluate import ProtocolSpec
from ddspec.spec.explain import validate
from ddspec.spec.nodes import compose
from ddspec.spec.source import read_source

FOLDER = Path(__file__).with_name("protocols")


class ProtocolBlock(SpecModel):
    """Settings of a protocol that come from one source."""

    source: Text
    """A key of `references.yaml` and where in it, or `ours` and the reason."""
    set: dict[str, Any]
    """Fields of `ProtocolSpec`, each in one block only."""


class ProtocolDisagreement(SpecModel):
    """What paper and official code do differently in evaluation, and which is taken."""

    setting: Name
    paper: Text
    code: Text
    takes: Literal["paper", "code", "ours"]
    why: Text


class ProtocolFile(SpecModel):
    """A file under `protocols/`."""

    format: Literal["ddspec.protocol/1"]
    name: Name
    title: Text
    blocks: Annotated[tuple[ProtocolBlock, ...], Field(min_length=1)]
    disagreements: tuple[ProtocolDisagreement, ...] = ()

    @model_validator(mode="after")
    def _one_source_each(self) -> ProtocolFile:
        keys = [key for block in self.blocks for key in block.set]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"`{twice[0]}` is set by two blocks")
        return self

    @property
    def protocol(self) -> ProtocolSpec:
        """The protocol itself; raises pydantic's `ValidationError` where it is none."""
        settings = {key: value for block in self.blocks for key, value in block.set.items()}
        return ProtocolSpec.model_validate({"name": self.name, **settings})


@cache
def protocol_file(name: str) -> ProtocolFile:
    """Return the file of a built-in protocol; raises `KeyError` for a name that is none."""
    if name not in PROTOCOLS:
        raise KeyError(name)
    source = read_source(FOLDER / f"{name}.yaml", sections=ProtocolFile.model_fields)
    return validate(compose(source), ProtocolFile)


@cache
def _protocol(name: str) -> ProtocolSpec:
    return protocol_file(name).protocol


PROTOCOLS: Mapping[str, Callable[[], ProtocolSpec]] = {
    name: partial(_protocol, name)
    for name in (
        "dc",
        "dc-mnist",
        "dsa",
        "dsa-no-flip",
        "ftd",
        "ftd-zca",
        "idc",
        "idc-imagenet",
        "idc-imagenet100",
        "idc-mnist",
        "idc-no-flip",
        "idc-no-mix",
        "idm",
        "idm-imagenet",
        "mtt",
        "mtt-no-flip",
        "mtt-zca",
        "sre2l-cifar100",
        "sre2l-imagenet",
        "sre2l-tiny",
        "teddy",
        "teddy-tiny",
        "tesla",
        "tesla-soft",
        "tesla-zca",
    )
}
"""Read only when asked for, so that importing the table costs nothing."""

IDC_EPOCHS = ((1, 3000), (10, 2000), (50, 1500), (200, 1000), (500, 500))
"""Epochs by the number of decoded images a class, up to and including it; more of them take 300."""


def idc_epochs(*, views_per_class: int, classes: int) -> int:
    """Return IDC's number of epochs for a set: fewer the larger it is.

    With 100 classes two thirds of it, rounded down to a hundred (official code of IDC).
    """
    epochs = next((epochs for most, epochs in IDC_EPOCHS if views_per_class <= most), 300)
    return epochs * 2 // 3 // 100 * 100 if classes == 100 else epochs
