"""`ddspec doctor`: whether this machine can run stages, and how to mend what cannot."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ddspec.cli.options import AsJson, Data, Home
from ddspec.cli.place import Gpus, Image, Place
from ddspec.errors import Exit

if TYPE_CHECKING:
    from ddspec.doctor.finding import Finding
    from ddspec.doctor.patient import Patient

PIPE_WIDTH = 100
"""Columns where there is no terminal."""


def doctor(
    executor: Annotated[
        Place | None,
        typer.Option(
            "--executor",
            envvar="DDSPEC_EXECUTOR",
            help="Look only at what this one needs; default both.",
        ),
    ] = None,
    data: Data = None,
    home: Home = None,
    image: Image = None,
    gpus: Gpus = None,
    as_json: AsJson = False,
) -> Exit:
    """Check what runs need, and say how to mend what is missing.

    Looks at the engine, image, GPUs, disk, data and store; writes small files into the store and
    starts a small container. Exits 6 where a run would not work.
    """
    from ddspec.cli.inputs import home_of
    from ddspec.doctor.patient import Patient

    executors = (Place.LOCAL, Place.DOCKER) if executor is None else (executor,)
    patient = Patient(
        home=home_of(home),
        environ=dict(os.environ),
        data=None if data is None else data.absolute(),
        image_name=image,
        gpus=gpus,
        executors=frozenset(place.value for place in executors),
    )
    names = [place.value for place in executors]
    findings = _told(patient) if not as_json else _silent(patient)
    return _end(findings, names, as_json=as_json)


def _told(patient: Patient) -> list[Finding]:
    """Show each finding as soon as it is there, for some take seconds."""
    from ddspec.cli.output import show
    from ddspec.console.doctor_view import render_finding
    from ddspec.doctor.checkup import examine

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
    findings = []
    for finding in examine(patient):
        findings.append(finding)
        show(render_finding(finding, min(width, PIPE_WIDTH)))
    return findings


def _silent(patient: Patient) -> list[Finding]:
    from ddspec.doctor.checkup import examine

    return list(examine(patient))


def _end(findings: list[Finding], names: list[str], *, as_json: bool) -> Exit:
    from ddspec.cli.output import show, show_json
    from ddspec.console.doctor_view import findings_json, render_end
    from ddspec.doctor.finding import ready

    if as_json:
        show_json(findings_json(findings, names))
    else:
        show(render_end(findings, names))
    return Exit.DONE if ready(findings) else Exit.UNABLE
