"""`ddspec schema`: what an editor needs to complete and check a spec."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ddspec.errors import DdspecError, Exit

if TYPE_CHECKING:
    from ddspec.spec.schema import Choice


class Kind(StrEnum):
    """Documents that have a schema."""

    SPEC = "spec"
    PLAN = "plan"
    POLICY = "policy"


SCHEMA_FILE = "ddspec.schema.json"
"""What the schema is called beside the specs that name it."""


def schema(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="spec, plan or policy.")] = Kind.SPEC,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there, replacing FILE."),
    ] = None,
) -> Exit:
    """Print the JSON Schema of a document.

    With it, editors complete keys and values, explain them, and underline mistakes. A spec names
    its schema in its first line: `# yaml-language-server: $schema=ddspec.schema.json`.
    """
    from ddspec.cli.output import say, show_json

    made = schema_of(kind)
    if output is None:
        show_json(made)
        return Exit.DONE
    write_schema(output, made)
    say(f"wrote {output}")
    return Exit.DONE


def schema_of(kind: Kind) -> dict[str, Any]:
    """Return the schema of a kind of document, with the presets and protocols of this version."""
    match kind:
        case Kind.SPEC:
            from ddspec.spec.document_schema import spec_schema

            return spec_schema(_presets(), _protocols())
        case Kind.PLAN:
            from ddspec.spec.other_schemas import plan_schema

            return plan_schema()
        case Kind.POLICY:
            from ddspec.spec.other_schemas import policy_schema

            return policy_schema(_names())


def write_schema(path: Path, made: dict[str, Any]) -> None:
    """Write a schema as JSON; refuses to replace what is not a regular file."""
    import json

    from ddspec.disk import write_whole

    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise DdspecError(f"`{path}` is not a regular file", exit=Exit.USAGE)
    if not path.parent.is_dir():
        raise DdspecError(f"`{path.parent}` is not a folder", exit=Exit.UNABLE)
    write_whole(path, (json.dumps(made, ensure_ascii=False) + "\n").encode())


def _names() -> dict[str, list[str]]:
    """Return the names that each rule of a policy may list."""
    from ddspec.plan.devices import DEVICES
    from ddspec.plan.policy_rules import NO_PRESET
    from ddspec.spec.facts import FACTS

    return {
        "device": list(DEVICES),
        "DatasetsRule": [*FACTS, "folder"],
        "PresetsRule": [*(choice.name for choice in _presets()), NO_PRESET],
        "ProtocolsRule": [choice.name for choice in _protocols()],
    }


def _protocols() -> list[Choice]:
    from ddspec.presets.protocols import PROTOCOLS, protocol_file
    from ddspec.spec.schema import Choice

    return [Choice(name, protocol_file(name).title) for name in PROTOCOLS]


def _presets() -> list[Choice]:
    from ddspec.spec.load import METHODS
    from ddspec.spec.presets import preset_names, read_preset
    from ddspec.spec.schema import Choice

    contents = [read_preset(name, METHODS).content for name in preset_names(METHODS)]
    return [Choice(one.name, one.title, one.variants) for one in contents]
