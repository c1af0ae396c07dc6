"""Kill a run around the n-th thing that it does to engine or disk, for every n; then run it again.

Called as `fake_docker_crash.py FOLDER TOLD.json WHAT`, where WHAT is `request` (die before the n-th
request to the engine), `answer` (die when it was sent and before its answer is read) or `change`
(die before the n-th change to the disk). Prints one JSON object a crash. Forks, so that nothing is
imported twice. Asking the same again, as polling does, counts once.
"""

import dataclasses
import http.client
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent))

import requests
from fake_crash import CHANGES, forked
from fake_docker_host import Told, run
from fake_harbour import Harbour, engine_client, expected, suppress_gone

MOST = 200
"""More than this is no run of one stage, but a driver that counts wrongly."""


class Fuse:
    """Counts what is done, and burns at a number."""

    def __init__(self, number: int, note: Path) -> None:
        self.number, self.note, self.last, self.count = number, note, "", 0

    def pass_by(self, action: str) -> None:
        self.count += action != self.last
        self.last = action
        if self.count == self.number:
            note = os.open(self.note, os.O_WRONLY | os.O_CREAT)
            os.write(note, action.encode())
            os.kill(os.getpid(), signal.SIGKILL)


def die_before_request(fuse: Fuse) -> None:
    send = requests.Session.send

    def counted(session: Any, request: Any, **options: Any) -> Any:
        fuse.pass_by(f"{request.method} {urlsplit(request.url).path}")
        return send(session, request, **options)

    requests.Session.send = counted


def die_before_answer(fuse: Fuse) -> None:
    read = http.client.HTTPConnection.getresponse

    def counted(connection: Any) -> Any:
        fuse.pass_by(told(connection))
        return read(connection)

    http.client.HTTPConnection.getresponse = counted  # type: ignore[assignment]
    put = http.client.HTTPConnection.putrequest

    def noted(connection: Any, method: str, url: str, *args: Any, **options: Any) -> None:
        connection.noted = f"{method} {urlsplit(url).path}"
        put(connection, method, url, *args, **options)

    http.client.HTTPConnection.putrequest = noted  # type: ignore[method-assign]


def told(connection: Any) -> str:
    return str(connection.noted)


def die_before_change(fuse: Fuse) -> None:
    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writing = event == "open" and arguments[1] is not None and arguments[1][0] in "wax"
        if event in CHANGES or event in ("os.chown", "os.chmod") or writing:
            fuse.last = ""
            fuse.pass_by(f"{event} {arguments[0]}")

    sys.addaudithook(hook)


FUSES = {
    "request": die_before_request,
    "answer": die_before_answer,
    "change": die_before_change,
}


def crash(number: int, folder: Path, told: Told, what: str) -> dict[str, object] | None:
    """Return what became of a run that died at its n-th action; None if it did fewer."""
    folder.mkdir()
    told = dataclasses.replace(told, home=str(folder / "home"), plan="single")

    def first() -> None:
        FUSES[what](Fuse(number, folder / "crash"))
        silent(folder)
        run(told)

    def second() -> None:
        silent(folder)
        os._exit(run(told).exit)

    ended = forked(first)
    if ended == 0:
        return None
    if ended != -signal.SIGKILL:
        raise SystemExit(f"it did not die, but ended: {(folder / 'stderr').read_text()}")
    harbour = Harbour(folder, engine_client(), told)
    left = len(harbour.containers())
    code = forked(second)
    stage = harbour.stages[0]
    made = harbour.store.objects.has(stage.key or "")
    found = {
        "number": number,
        "action": (folder / "crash").read_text(),
        "left": left,
        "code": code,
        "made": made,
        "equal": made and harbour.data() == expected(harbour.stages, {}),
        "starts": harbour.starts()[stage.label],
        "claims": len(harbour.store.claims.keys()),
        "containers": len(harbour.containers()),
        "foreign": [str(path) for path in kept(harbour) if path.lstat().st_uid != os.getuid()],
    }
    for one in harbour.containers():
        with suppress_gone():
            harbour.api.remove_container(one["Id"], force=True)
    return found


def kept(harbour: Harbour) -> Iterator[Path]:
    """Yield what a run leaves for good: it must belong to the caller."""
    yield from harbour.store.layout.objects.rglob("*")
    yield from harbour.store.layout.scratch.rglob("*")


def silent(folder: Path) -> None:
    """Send what the run says to a file."""
    file = os.open(folder / "stderr", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 2)


def main() -> None:
    root, told, what = (
        Path(sys.argv[1]),
        Told(**json.loads(Path(sys.argv[2]).read_text())),
        sys.argv[3],
    )
    for number in range(1, MOST):
        found = crash(number, root / str(number), told, what)
        if found is None:
            return
        print(json.dumps(found), flush=True)
    raise SystemExit("it never ends")


if __name__ == "__main__":
    main()
