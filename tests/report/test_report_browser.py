"""Pages in a real browser: on a telephone and a desk, by day and by night, and on paper."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fake_store
import pytest
from fake_cli import SPEC, Shell

from ddspec.canon import Json
from ddspec.cli.inputs import compile_spec
from ddspec.errors import Exit

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next((path for name in NAMES if (path := shutil.which(name))), None)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]

# Blends backgrounds over those of the elements around, as WCAG 2.2 reckons contrast (1.4.3).
FAINT = """
() => {
  const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = text => {
    paint.clearRect(0, 0, 1, 1); paint.fillStyle = text; paint.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255];
  };
  const over = (top, under) => [0, 1, 2].map(i => top[i] * top[3] + under[i] * (1 - top[3]));
  const ground = element => {
    if (!element) return [255, 255, 255];
    const own = rgba(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, ground(element.parentElement));
  };
  const light = c => c.map(v => v / 255)
    .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element), under = ground(element);
    const drawn = element instanceof SVGElement ? style.fill : style.color;
    const pair = [light(over(rgba(drawn), under)), light(under)].sort((a, b) => b - a);
    const ratio = (pair[0] + .05) / (pair[1] + .05);
    if (ratio < 4.5) found.push([walker.currentNode.data.trim(), ratio.toFixed(2)]);
  }
  return found;
}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything on it: networks, long names, failures, figures as they are drawn."""
    from ddspec.cli.report_page import report

    folder = tmp_path_factory.mktemp("page")
    spec = folder / "small.yaml"
    long = "A title as long as somebody may well give it, " * 4
    spec.write_text(
        SPEC.replace("title: A small experiment", f"title: '{long}'").replace(
            "  repeats: 2\n", "  repeats: 2\n  networks: [{kind: convnet, depth: 3}]\n"
        )
        + "expect: [{accuracy: 0.86, source: Table 1, tolerance: 0.02}]\n"
    )
    plan = compile_spec(spec).plan
    store = fake_store.fill(folder / "store", plan, ("a" * 40, *map(str, range(9))))
    failed = fake_store.entry(plan.stage("distill"), 1, outcome="failed", reason="x" * 300)
    store.journal.record(failed)
    code = report(spec, output=folder / "page.html", home=folder / "store")
    assert code == Exit.DONE
    return folder / "page.html"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
@pytest.mark.parametrize("folded", [True, False], ids=["folded", "unfolded"])
def test_a_page_reads_well(folded: bool, width: int, scheme: str, browser: Any, made: Path) -> None:
    view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    told: list[str] = []
    asked: list[str] = []
    view.on("console", lambda message: told.append(message.text))
    view.on("pageerror", lambda error: told.append(str(error)))
    view.on("request", lambda request: asked.append(request.url))

    view.goto(made.as_uri())
    if not folded:
        view.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")

    outside = [url for url in asked if not url.startswith(("data:", made.as_uri()))]
    assert (told, outside) == ([], [])
    assert view.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert view.evaluate("[...document.images].every(one => one.naturalWidth > 0)")
    assert view.evaluate("document.images.length") == 2
    assert view.evaluate("document.querySelectorAll('figure svg').length") == 3
    assert view.evaluate(FAINT) == []
    view.close()


def test_the_check_of_contrast_can_fail(browser: Any) -> None:
    view = browser.new_page()

    view.set_content("<p style='color: #888; background: #fff'>faint</p><p>strong</p>")

    assert view.evaluate(FAINT) == [["faint", "3.54"]]
    view.close()


def test_a_page_prints(browser: Any, made: Path, tmp_path: Path) -> None:
    view = browser.new_page(color_scheme="dark")
    view.goto(made.as_uri())

    view.pdf(path=tmp_path / "page.pdf", prefer_css_page_size=True)

    content = (tmp_path / "page.pdf").read_bytes()
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page/") > 1
    view.emulate_media(media="print", color_scheme="dark")
    assert view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert view.evaluate("getComputedStyle(document.querySelector('nav')).display") == "none"
    view.close()


def test_a_variant_unfolds_without_a_script(
    browser: Any, shell: Shell, drawings: list[Json]
) -> None:
    matrix = (
        "matrix:\n  include:\n    - {name: few}\n    - {name: many, update.learning_rate: 0.2}\n"
    )
    spec = shell.folder / "small.yaml"
    spec.write_text(SPEC + matrix)
    fake_store.fill(shell.home, compile_spec(spec).plan)
    shell("report", "small.yaml")
    view = browser.new_page(java_script_enabled=False)
    view.goto((shell.folder / "small.report.html").as_uri())

    view.click("#a2 > summary")

    assert view.locator("#a2 h4").first.is_visible()
    assert not view.locator("#a1 h4").first.is_visible()
    view.close()
