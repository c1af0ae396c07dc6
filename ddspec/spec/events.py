"""The only door to ruamel.yaml: text in, events out, every failure a located error."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import Event

from ddspec.errors import DdspecError, Diagnostic, Exit
from ddspec.spec.source import Source
from ddspec.visible import visible

_DIRECTIVE = re.compile(r"^%(?!YAML 1\.2[ \t\r]*$)[^\n]*", re.MULTILINE)
_LONG_TAG = re.compile(r"(?<!\S)!\S{1000}")
"""The parser takes time that grows with the square of a tag's length; no tag is allowed anyway."""


def parse(source: Source) -> Iterator[Event]:
    """Yield the events of a YAML 1.2 text, as far as they are asked for.

    Raises `DdspecError` (invalid) at what is not YAML, and at directives.
    """
    if directive := _DIRECTIVE.search(source.text):
        raise _refused(
            source.problem(
                "only YAML 1.2 is read, and no directive but `%YAML 1.2`", *directive.span()
            )
        )
    if tag := _LONG_TAG.search(source.text):
        raise _refused(source.problem("tags are not allowed, and no text is as long", tag.start()))
    try:
        yield from YAML(typ="safe", pure=True).parse(source.text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = source.place(mark.index if mark else 0)
        said = visible(error.problem or error.context or "it cannot be parsed")
        raise _refused(Diagnostic(f"not valid YAML: {said}", where, _hint(said))) from None
    except (YAMLError, ValueError, OverflowError, IndexError, AttributeError) as error:
        # The last four are slips of the parser on malformed input, such as "\UFFFFFFFF".
        said = type(error).__name__
        raise _refused(Diagnostic(f"not valid YAML ({said})", source.place(0))) from None


def _hint(said: str) -> str:
    if "'\\t'" in said:
        return "indent with spaces"
    return "put the text in quotes" if "mapping values are not allowed" in said else ""


def _refused(problem: Diagnostic) -> DdspecError:
    return DdspecError([problem], exit=Exit.INVALID)
