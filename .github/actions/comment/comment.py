"""Create or update the one comment of a pull request from a review that its own job wrote.

Which pull request it is follows from the event of this workflow and from GitHub, never from the
review. `ddspec comment` checks the review and makes Markdown of it; an older review than that of
the newest push is dropped.

Usage: comment.py REVIEW.json, with AUTHOR and TOKEN besides what GitHub sets for every step.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

MARK = "<!-- ddspec:"
NOTHING = "<!-- ddspec: -->"
PAGES = 50
TRIES = 4
TIMEOUT_S = 30
PAUSE_S = float(os.environ.get("PAUSE_S", "1"))
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
REPOSITORY = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")


def main() -> int:
    """Comment on every open pull request whose newest commit is the one that was reviewed."""
    api = Api(os.environ)
    run = json.loads(Path(os.environ["GITHUB_EVENT_PATH"]).read_text("utf-8"))["workflow_run"]
    if run["event"] != "pull_request":
        tell("the run was not for a pull request")
        return 0
    commit = run["head_sha"]
    if COMMIT.fullmatch(commit) is None:
        raise SystemExit("the event names no commit")
    body = rendered(sys.argv[1], commit, f"{os.environ['GITHUB_SERVER_URL']}/{api.repository}")
    numbers = list(pull_requests(api, run, commit))
    if not numbers:
        tell(f"no open pull request has {commit[:8]} as its newest commit: nothing to do")
    for number in numbers:
        tell(f"#{number}: {say(api, number, body, os.environ['AUTHOR'])}")
    return 0


def tell(text: str) -> None:
    """Say on one line what was done."""
    sys.stdout.write(f"{text}\n")


def rendered(review: str, commit: str, address: str) -> str:
    """Return the comment; ends this program with ddspec's words where the review is refused."""
    command = ["ddspec", "comment", review, "--head", commit, "--repository", address]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # a runner takes `##[` for a command wherever it stands
        sys.stderr.write(done.stderr.replace("##[", "## ["))
        raise SystemExit(done.returncode)
    return done.stdout.strip()


def pull_requests(api: Api, run: Mapping[str, Any], commit: str) -> Iterator[int]:
    """Yield the numbers of open pull requests of the branch that the event names."""
    if run["head_repository"] is None:  # the fork was deleted meanwhile
        return
    head = f"{run['head_repository']['owner']['login']}:{run['head_branch']}"
    query = urllib.parse.urlencode({"state": "open", "head": head, "per_page": 100})
    for one in api.call("GET", f"pulls?{query}"):
        if one["head"]["sha"] == commit and one["base"]["repo"]["full_name"] == api.repository:
            yield int(one["number"])


def say(api: Api, number: int, body: str, author: str) -> str:
    """Create the comment, or update the earlier one; return what was done."""
    for page in range(1, PAGES + 1):
        found = api.call("GET", f"issues/{number}/comments?per_page=100&page={page}")
        for one in found:
            writer, text = (one["user"] or {}).get("login"), one["body"] or ""
            if writer == author and text.startswith(MARK):
                if text.strip() == body:
                    return "the comment is as it should be"
                api.call("PATCH", f"issues/comments/{int(one['id'])}", {"body": body})
                return "updated the comment"
        if len(found) < 100:
            break
    if body.startswith(NOTHING):
        return "no spec changes, and there is no comment"
    api.call("POST", f"issues/{number}/comments", {"body": body})
    return "created the comment"


class Api:
    """GitHub's interface for one repository."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.repository = environ["GITHUB_REPOSITORY"]
        if REPOSITORY.fullmatch(self.repository) is None:
            raise SystemExit("GITHUB_REPOSITORY is no OWNER/NAME")
        self.address = f"{environ['GITHUB_API_URL']}/repos/{self.repository}"
        self.token = environ["TOKEN"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Return GitHub's answer; what passes by itself is tried again, except to create."""
        tries = 1 if method == "POST" else TRIES
        for again in range(tries):
            request = self._request(method, path, body)
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                told = f"{error.code} {error.read(500)!r}"
                lasting = error.code < 500
            except urllib.error.URLError as error:
                told, lasting = repr(error.reason), False
            if lasting or again == tries - 1:
                raise SystemExit(f"{method} {path.partition('?')[0]}: {told}")
            time.sleep(PAUSE_S * 2**again)
        raise AssertionError("there is at least one try")

    def _request(self, method: str, path: str, body: object) -> urllib.request.Request:
        data = None if body is None else json.dumps(body).encode()
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Content-Type": "application/json",
            "User-Agent": "ddspec-comment",
        }
        return urllib.request.Request(f"{self.address}/{path}", data, headers, method=method)


if __name__ == "__main__":
    sys.exit(main())
