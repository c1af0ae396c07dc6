"""A matrix that takes minutes and gigabytes to plan is refused while it is compiled."""

from __future__ import annotations

import pytest

from ddspec.errors import DdspecError, Exit
from ddspec.plan import compile as compiler
from ddspec.plan.compile import compile_spec
from ddspec.spec.load import load_text

SPEC = """\
name: x
preset: dc
dataset: {kind: cifar10}
budget: {images_per_class: 1}
matrix:
  seed: [1, 2, 3]
"""


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        pytest.param("MOST_OF_A_MATRIX", "have more than 5 stages together", id="stages"),
        pytest.param("MOST_ROWS_OF_A_MATRIX", "distil for more than 5 outer loops", id="loops"),
    ],
)
def test_a_matrix_of_too_much_work_is_refused_at_its_place(
    limit: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiler, limit, 5)

    with pytest.raises(DdspecError, match=message) as caught:
        compile_spec(load_text(SPEC, "x.yaml"))

    assert caught.value.exit is Exit.INVALID
    assert str(caught.value).startswith("x.yaml:5:1: the variants")


def test_a_distillation_that_variants_share_is_counted_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = SPEC.replace("seed: [1, 2, 3]", "evaluate.repeats: [1, 2, 3]")
    loaded = load_text(text, "x.yaml")
    monkeypatch.setattr(compiler, "MOST_ROWS_OF_A_MATRIX", loaded.experiment.loops.outer_loops)

    assert len(compile_spec(loaded).variants) == 3
