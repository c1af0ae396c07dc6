"""`ddspec data`: bring the published datasets to this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from ddspec.cli.boundary import bounded
from ddspec.cli.options import Data
from ddspec.errors import DdspecError, Exit


def fetch(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="mnist, fashion_mnist, svhn, cifar10 or cifar100."),
    ],
    data: Data = None,
) -> Exit:
    """Download a built-in dataset into torchvision's layout, verified by published checksums."""
    from ddspec.cli.archives import ARCHIVES
    from ddspec.cli.download import check_files, fetch_archive
    from ddspec.cli.inputs import data_root
    from ddspec.cli.output import say
    from ddspec.console.run_view import download_progress
    from ddspec.spec.facts import FACTS

    if name not in ARCHIVES:
        raise _unknown(name, sorted(ARCHIVES))
    root = data_root(data)
    for archive in ARCHIVES[name]:
        with download_progress(archive.target) as advance:
            fetched = fetch_archive(archive, root, advance)
        say(f"{root / archive.target}  {'fetched' if fetched else 'was there'}")
    check_files(FACTS[name].files, root)
    say(f"{name}: every file has its published checksum")
    return Exit.DONE


def _unknown(name: str, known: list[str]) -> DdspecError:
    from ddspec.spec.facts_folders import FOLDERS

    if name == "digits":
        return DdspecError(
            "`digits` comes with scikit-learn and needs no download", exit=Exit.USAGE
        )
    if name in FOLDERS:
        return DdspecError(
            f"`{name}` has no published checksums to fetch it by",
            exit=Exit.USAGE,
            hint="unpack it under the data directory, then `ddspec lock SPEC` says what it holds",
        )
    return DdspecError(
        f"unknown dataset `{name}`", exit=Exit.USAGE, hint=f"one of {', '.join(known)}"
    )


data = typer.Typer(
    help="Bring published datasets to this machine.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
data.callback()(lambda: None)
data.command("fetch")(bounded(fetch))
