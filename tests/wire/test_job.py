"""A job says where its runner is only where that is an image."""

from __future__ import annotations

from ddspec.wire.job import Job


def test_a_job_outside_an_image_says_nothing_of_images() -> None:
    assert set(Job(stages=()).model_dump(mode="json")) == {"format", "stages", "threads", "device"}


def test_image_and_source_of_a_job_survive_the_wire() -> None:
    job = Job(stages=(), image="ddspec-runner@sha256:aa", source="5e6f")

    assert Job.model_validate_json(job.model_dump_json()) == job
