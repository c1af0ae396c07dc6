"""A stage is not blamed with the words of another one."""

from __future__ import annotations

from ddspec.run.words import words_of


def test_the_words_of_other_stages_of_a_job_are_left_out() -> None:
    lines = [
        "prepare/train: bad data: 1 of 9 images cannot be decoded",
        "  cat/0.png: cut short",
        "prepare/test: bad data: 2 of 9 images cannot be decoded",
        "  dog/1.png: cut short",
        "Traceback: of nobody in particular",
    ]

    found = words_of("prepare/test", lines, {"prepare/train", "prepare/test"})

    assert found == lines[2:]
