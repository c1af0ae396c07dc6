"""A spec loads into an experiment whose settings know where they are written."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddspec.errors import DdspecError, Diagnostic
from ddspec.spec.load import load_spec, load_text

ALIASED = """\
name: small
dataset: {kind: digits}
budget: {images_per_class: &one 1}
network: &net {kind: convnet, depth: 2}
pool: {kind: recorded, epochs: *one}
inner: {kind: frozen}
matcher: {kind: gradient, distance: l1}
update: {learning_rate: 1e-3}
loops: {outer_loops: 2, inner_steps: 3}
evaluate:
  protocol: idc
  networks: [*net, {kind: convnet, depth: 3}]
"""


@pytest.mark.parametrize(
    ("path", "place"),
    [
        pytest.param(("network", "depth"), (7, 10, 1), id="scalar"),
        pytest.param(("update", "learning_rate"), (15, 25, 4), id="in-flow-style"),
        pytest.param(("pool",), (8, 1, 4), id="section-by-its-key"),
        pytest.param(("pool", "batch"), (8, 1, 4), id="default-by-its-section"),
        pytest.param(("resources", "threads"), (1, 1, 1), id="section-left-out"),
        pytest.param((), (1, 1, 1), id="document"),
    ],
)
def test_a_setting_knows_its_place(
    good: str, path: tuple[str, ...], place: tuple[int, int, int]
) -> None:
    found = load_text(good, "x.yaml").place(*path)

    assert (found.line, found.column, found.length) == place
    assert found.text == good.splitlines()[found.line - 1]


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        pytest.param(("pool", "epochs"), 3, 33, id="aliased-scalar"),
        pytest.param(("evaluate", "networks", 0, "depth"), 4, 38, id="inside-an-aliased-section"),
        pytest.param(("evaluate", "networks", 1, "depth"), 12, 43, id="beside-an-alias"),
    ],
)
def test_places_lead_through_aliases(path: tuple[str | int, ...], line: int, column: int) -> None:
    found = load_text(ALIASED, "x.yaml").place(*path)

    assert (found.line, found.column) == (line, column)


def test_an_alias_stands_for_its_value() -> None:
    experiment = load_text(ALIASED, "x.yaml").experiment

    assert experiment.pool.epochs == 1
    assert experiment.evaluate.networks is not None
    assert experiment.evaluate.networks[0] == experiment.network


def test_a_file_and_its_text_load_alike(tmp_path: Path, good: str) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(good)

    from_file, from_text = load_spec(path), load_text(good, str(path))

    assert from_file.experiment == from_text.experiment
    assert from_file.file == str(path)
    assert from_file.digest == hashlib.sha256(good.encode()).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("%YAML 1.2\n---\n{}", id="directive-for-1.2"),
        pytest.param("{}# comment", id="comment"),
        pytest.param("---\n{}...\n", id="document-marks"),
    ],
)
def test_harmless_forms_are_read(good: str, text: str) -> None:
    loaded = load_text(text.replace("{}", good), "x.yaml")

    assert loaded.experiment.name == "small"


def test_line_ends_of_windows_keep_their_places(good: str) -> None:
    found = load_text(good.replace("\n", "\r\n"), "x.yaml").place("network", "depth")

    assert (found.line, found.column, found.text) == (7, 10, "  depth: 2")


def test_a_location_keeps_its_variable(good: str) -> None:
    dataset = "dataset: {kind: folder, size: 8, path: '${DDSPEC_SCANS}/a'}"

    loaded = load_text(good.replace("dataset: {kind: digits}", dataset), "x.yaml")

    assert loaded.experiment.dataset.model_dump()["path"] == "${DDSPEC_SCANS}/a"


def test_a_plain_spec_loads_nothing_that_resolves_layers(tmp_path: Path, good: str) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(good)
    heavy = ("directives", "extends", "matrix", "presets", "origins", "lock")
    code = (
        "import sys; from ddspec.spec.load import load_spec; load_spec(sys.argv[1]);"
        f"print([name for name in {heavy} if 'ddspec.spec.' + name in sys.modules])"
    )

    ran = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )

    assert ran.stdout == "[]\n"


def _loads_or_is_refused(text: str) -> None:
    """Anything but a result or a `DdspecError` fails the test; so does a message without place."""
    refused: tuple[Diagnostic, ...] = ()
    try:
        load_text(text, "x.yaml")
    except DdspecError as error:
        refused = error.diagnostics or (Diagnostic("nothing"),)

    assert all(one.place and one.place.line for one in refused)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_never_give_anything_but_an_answer(data: bytes) -> None:
    _loads_or_is_refused(data.decode("utf-8", "replace"))


YAML_PIECES = st.sampled_from(
    [
        *"{}[]:,-?&*!|>'\"%@`# \n\t\\\0",
        "a",
        "1",
        "~",
        "<<",
        "---",
        "...",
        "&a ",
        "*a",
        "!!int ",
        "\x85",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(YAML_PIECES, max_size=30).map("".join))
def test_random_yaml_never_gives_anything_but_an_answer(text: str) -> None:
    _loads_or_is_refused(text)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.data(),
    piece=st.one_of(st.text(max_size=8), st.lists(YAML_PIECES, max_size=4).map("".join)),
)
def test_a_mutated_spec_never_gives_anything_but_an_answer(
    good: str, data: st.DataObject, piece: str
) -> None:
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 20)))

    _loads_or_is_refused(good[:start] + piece + good[end:])


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("none")
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.data(),
    value=st.recursive(
        SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
    ),
)
def test_a_value_of_any_type_anywhere_never_gives_anything_but_an_answer(
    good: str, data: st.DataObject, value: object
) -> None:
    lines = [line for line in good.splitlines() if ": " in line]
    line = data.draw(st.sampled_from(lines))

    _loads_or_is_refused(good.replace(line, f"{line.split(':')[0]}: {json.dumps(value)}"))
