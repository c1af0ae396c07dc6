"""The digest of the runners' source, and the wheel that brings it into the image."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from ddspec.engine import source
from ddspec.engine.source import VOCABULARY, files_of, revisions, runners_digest
from ddspec.engine.wheel import wheel, wheel_name
from ddspec.errors import DdspecError, Exit

ROOT = Path(__file__).parents[2]


def imports(text: str) -> set[str]:
    """Return the names that a module imports, `from a import b` as both `a` and `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def module_file(name: str) -> Path | None:
    """Return the file of a module of ddspec, None where the name is something inside one."""
    path = ROOT / name.replace(".", "/")
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def reached() -> set[str]:
    """Return the files of ddspec that the runners import, directly or through others."""
    runners = (ROOT / "runners" / "ddspec_runners").rglob("*.py")
    waiting = ["ddspec.version"]  # by the package itself, whose other names no runner uses
    waiting += sorted({name for path in runners for name in imports(path.read_text())})
    seen: set[Path] = set()
    while waiting:
        name = waiting.pop()
        file = module_file(name) if name.split(".")[0] == "ddspec" else None
        if file is None or file in seen:
            continue
        seen |= {file, file.parent / "__init__.py"}
        waiting += [] if file == ROOT / "ddspec" / "__init__.py" else imports(file.read_text())
    return {path.relative_to(ROOT / "ddspec").as_posix() for path in seen}


def test_the_vocabulary_is_what_the_runners_import() -> None:
    listed = {name for name in VOCABULARY if name.endswith(".py")}

    assert listed == reached()


def test_the_vocabulary_has_the_data_files_of_its_packages() -> None:
    data = {path.relative_to(ROOT / "ddspec") for path in (ROOT / "ddspec" / "spec").rglob("*.txt")}

    assert {Path(name) for name in VOCABULARY if name.endswith(".txt")} == data


def test_every_file_of_our_packages_is_of_a_kind_that_is_packed() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "ddspec", "runners/ddspec_runners"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not in a repository")

    assert {Path(name).suffix for name in listed.stdout.split()} <= set(source.SUFFIXES)


def test_finding_the_digest_loads_nothing_heavy() -> None:
    code = (
        "import sys; from ddspec.engine.source import runners_digest; print(runners_digest());"
        "print(sorted({'torch', 'numpy', 'pydantic', 'ddspec_runners', 'docker'} & {*sys.modules}))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split("\n")[:2] == [runners_digest(), "[]"]


@pytest.mark.parametrize(
    ("file", "moves"),
    [
        ("runners/ddspec_runners/rng.py", True),
        ("runners/ddspec_runners/tasks/new.py", True),
        ("ddspec/wire/work.py", True),
        ("ddspec/spec/classes/cifar100.txt", True),
        ("ddspec/cli/app.py", False),
        ("runners/ddspec_runners/rng.py.orig", False),
    ],
    ids=["a runner", "a new file", "the wire", "class names", "the command line", "a leftover"],
)
def test_the_digest_moves_with_what_a_runner_executes(
    file: str, moves: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest_of(copied(tmp_path), monkeypatch)
    with (tmp_path / file).open("a") as changed:
        changed.write("\n# changed\n")

    after = digest_of(tmp_path, monkeypatch)

    assert before == runners_digest()
    assert (after != before) is moves


def test_a_file_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copied(tmp_path) / "ddspec/wire/job.py").unlink()

    with pytest.raises(DdspecError, match=r"not whole: `.*wire/job.py` is missing") as caught:
        digest_of(tmp_path, monkeypatch)

    assert caught.value.exit == Exit.UNABLE


def test_the_revisions_are_those_of_the_works() -> None:
    assert revisions() == dict.fromkeys(
        (
            *("prepare", "pretrain", "checkpoint", "prune", "distill", "import"),
            *("select", "merge", "round", "relabel", "evaluate"),
        ),
        1,
    )


def test_the_wheel_is_the_same_bytes_each_time_and_holds_both_packages() -> None:
    packed = wheel()

    names = zipfile.ZipFile(BytesIO(packed)).namelist()
    expected = [f"{p}/{n}" for p in ("ddspec", "ddspec_runners") for n, _ in files_of(p)]
    info = wheel_name().removesuffix("-py3-none-any.whl") + ".dist-info"
    assert packed == wheel()
    assert names == [
        *expected,
        *(f"{info}/{name}" for name in ("METADATA", "WHEEL", "licenses/LICENSE", "RECORD")),
    ]


def test_the_wheel_is_one_that_python_can_import_from(tmp_path: Path) -> None:
    path = tmp_path / wheel_name()
    path.write_bytes(wheel())
    code = "import ddspec.wire.job as job, sys; print(job.__file__)"

    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == f"{path}/ddspec/wire/job.py"


def copied(to: Path) -> Path:
    """Copy the source of both packages, and return where to."""
    for package, folder in (("ddspec", to), ("ddspec_runners", to / "runners")):
        for name, path in files_of(package):
            target = folder / package / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return to


def digest_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the digest of the source below another folder."""
    found = importlib.util.find_spec

    def elsewhere(name: str) -> object:
        folder = root / "runners" if name == "ddspec_runners" else root
        return importlib.util.spec_from_file_location(name, folder / name / "__init__.py")

    monkeypatch.setattr(source, "find_spec", elsewhere)
    try:
        return runners_digest.__wrapped__()
    finally:
        monkeypatch.setattr(source, "find_spec", found)
