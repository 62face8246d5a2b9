import base64
import gzip
import json
import os
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import find_runs
from robust_tuning.frontier.comparison import AreaSettings, compare
from robust_tuning.frontier.page import report_data, save_report
from tests.frontier.browser import CHROMIUM, DRIVER, browser, open_page, picture
from tests.frontier.synthetic import write_run
from tests.frontier.synthetic_page import report_of, write_everything

plotly = pytest.importorskip("plotly")

COMMAND = "robust-tuning frontier 'my runs' --replicates 50"
in_chromium = pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()),
    reason=f"{CHROMIUM} or {DRIVER} is missing: apt-get install chromium chromium-driver",
)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    return save_report(*report_of(write_everything(folder / "runs")), folder, COMMAND)


@pytest.fixture(scope="module")
def driver() -> Iterator[Any]:
    pytest.importorskip("selenium")
    with browser() as opened:
        yield opened


@pytest.fixture
def page(driver: Any, report: Path) -> Any:
    driver.get_log("browser"), driver.get_log("performance")
    open_page(driver, report)
    return driver


def element_text(path: Path, name: str) -> str:
    found = re.search(rf'id="{name}">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found
    return found[1]


def test_the_file_holds_all_and_is_reproducible(report: Path, tmp_path: Path) -> None:
    library = gzip.decompress(base64.b64decode(element_text(report, "plotly"))).decode()
    assert library == plotly.offline.get_plotlyjs()
    data = json.loads(element_text(report, "data"))
    assert data["command"] == COMMAND
    assert data["strategies"] == ["BitFit", "LoRA"]
    assert [run["config"] is None for run in data["runs"]] == [False, True, False, True]
    assert len(data["shifts"]) == 2
    assert len(data["gallery"]) == 2
    again = save_report(*report_of(report.parent / "runs"), tmp_path, COMMAND)
    assert again.read_bytes() == report.read_bytes()


def test_nothing_in_it_comes_from_elsewhere(report: Path) -> None:
    text = report.read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", text)
    assert "default-src 'none'" in text


def test_a_thousand_points_stay_below_five_megabytes(tmp_path: Path) -> None:
    steps = tuple(range(0, 2000, 20))
    for strategy in ("LoRA", "BitFit"):
        for seed in range(5):
            write_run(
                tmp_path / f"{strategy}{seed}",
                strategy,
                seed=seed,
                examples=50,
                steps=steps,
                with_outcomes=False,
            )
    path = save_report(*report_of(tmp_path, replicates=0), tmp_path, COMMAND)
    assert len(json.loads(element_text(path, "data"))["points"]) == 1000
    assert path.stat().st_size < 5e6


def test_a_single_run_without_anything_else_has_its_page(tmp_path: Path) -> None:
    runs = find_runs([write_run(tmp_path / "run", steps=(0, 200), examples=50)])
    comparisons = compare(runs, AreaSettings(replicates=0))
    data = report_data(comparisons, [], {}, runs, COMMAND)
    assert data["shifts"] == data["gallery"] == data["pictures"] == []
    assert data["comparisons"][0]["panels"][0]["verdict"] is None


def test_without_plotly_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'robust-tuning\[report\]'"):
        save_report([], [], {}, [], tmp_path, COMMAND)


# What follows happens in a browser.


def drawn(page: Any) -> list[list[str]]:
    """Of every chart the strategies whose traces it shows."""
    return page.execute_script(  # type: ignore[no-any-return]  # what the browser answers
        "return [...document.querySelectorAll('.js-plotly-plot')]"
        ".map((p) => [...new Set(p.data.map((t) => t.meta).filter((m) => m))].sort())"
    )


def column(page: Any, number: int) -> list[str]:
    return page.execute_script(  # type: ignore[no-any-return]
        "return [...document.querySelector('#table tbody').rows]"
        f".filter((r) => !r.hidden).map((r) => r.cells[{number}].firstChild.data)"
    )


def press(page: Any, selector: str, key: str = "\ue007") -> None:
    """Press a key, Enter unless told, on an element that has the focus."""
    found = page.find_element("css selector", selector)
    page.execute_script("arguments[0].focus()", found)
    found.send_keys(key)


@in_chromium
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_it_loads_with_the_network_cut(driver: Any, report: Path, width: int, dark: bool) -> None:
    driver.get_log("browser"), driver.get_log("performance")
    open_page(driver, report, width=width, dark=dark)
    assert driver.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
        and event["params"]["documentURL"] == report.resolve().as_uri()
    ]
    # The browser's own first tab asks for its own parts; this document for itself alone.
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [
        report.resolve().as_uri()
    ]
    assert len(drawn(driver)) == 8
    assert driver.execute_script("return document.documentElement.scrollWidth") == width
    background = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(21, 24, 28)" if dark else "rgb(255, 255, 255)")
    if os.environ.get("ROBUST_TUNING_PICTURES"):  # to look at
        name = f"report-{width}-{'dark' if dark else 'light'}.png"
        Path(os.environ["ROBUST_TUNING_PICTURES"], name).write_bytes(picture(driver))


@in_chromium
def test_the_answer_comes_first_and_text_is_never_markup(page: Any) -> None:
    first = page.find_element("css selector", "main > section").text
    assert first.startswith("The answer")
    assert "Take " in first
    assert "<i>training noise</i>" in first
    gallery = page.find_element("css selector", "#gallery").text
    assert "</script><b>gnu" in gallery
    assert " 127.5, at most 1/255" in gallery
    shown = "return [...document.images].every((i) => i.naturalWidth > 0 && i.alt)"
    assert page.execute_script(shown)
    assert COMMAND in page.find_element("css selector", "#again").text


@in_chromium
def test_a_click_isolates_a_strategy_and_all_brings_the_rest_back(page: Any) -> None:
    both = ["BitFit", "LoRA"]
    assert all(found == both for found in drawn(page))
    press(page, "[data-chip=LoRA]")
    assert all(found == ["LoRA"] for found in drawn(page))
    assert column(page, 0) == ["LoRA"]
    assert "BitFit" not in page.find_element("css selector", "#runs").text
    pressed = "return document.querySelector('[data-chip=BitFit]').getAttribute('aria-pressed')"
    assert page.execute_script(pressed) == "false"
    assert page.find_element("id", "live").get_attribute("textContent") == "Shown: LoRA"
    press(page, "[data-chip=BitFit]", " ")  # adds it
    assert all(found == both for found in drawn(page))
    press(page, "[data-chip=LoRA]")
    press(page, ".chips button")
    assert all(found == both for found in drawn(page))


@in_chromium
def test_headings_sort(page: Any) -> None:
    areas = column(page, 1)
    assert areas == sorted(areas, key=float, reverse=True)
    press(page, "#table thead th:nth-child(2) button")
    heading = page.find_element("css selector", "#table thead th:nth-child(2)")
    assert heading.get_attribute("aria-sort") == "descending"
    press(page, "#table thead th:nth-child(2) button")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert column(page, 1) == sorted(areas, key=float)
    press(page, "#table thead th:nth-child(1) button")
    assert column(page, 0) == ["BitFit", "LoRA"]
    assert heading.get_attribute("aria-sort") is None
    # 103.7k is less than 1.2M, though its text is not.
    press(page, "#table thead th:nth-child(6) button")
    assert column(page, 5) == ["1.2M", "103.7k"]


@in_chromium
def test_the_threat_decides_charts_and_table(page: Any, report: Path) -> None:
    data = json.loads(element_text(report, "data"))
    panel = data["comparisons"][0]["panels"][2]
    choose = "const s = document.querySelector('#frontier select'); s.value = 2;"
    page.execute_script(f"{choose} s.dispatchEvent(new Event('change'))")
    assert column(page, 1) == [f"{curve['area'][0]:.3f}" for curve in panel["curves"]]
    title = page.execute_script("return document.querySelector('.main').layout.yaxis.title.text")
    assert title == f"robust accuracy, {panel['threat']}"


@in_chromium
def test_hovering_tells_the_point(page: Any, report: Path) -> None:
    data = json.loads(element_text(report, "data"))
    words = page.execute_script(
        "return document.querySelector('.main').data.filter((t) => t.mode === 'lines+markers')"
        ".flatMap((t) => t.text).filter((t) => t)"
    )
    points = [point for point in data["points"] if point["robust"]]
    assert len(words) == len(points)
    point = points[2]
    value, low, high, n = point["robust"]["linf-1/255"]
    line = f"robust accuracy {100 * value:.1f} % [{100 * low:.1f}, {100 * high:.1f}] (n = {n})"
    (found,) = [text for text in words if "BitFit" in text and "step 400" in text]
    assert line in found
    assert "run BitFit-0" in found
    assert "cost 1.5 s, 180 passes" in found


@in_chromium
def test_the_drawn_frontier_has_the_area_that_is_said(page: Any, report: Path) -> None:
    data = json.loads(element_text(report, "data"))
    for curve in data["comparisons"][0]["panels"][0]["curves"]:
        x, y = page.execute_script(
            "const t = document.querySelector('.main').data.find((t) => t.line?.width === 3"
            " && t.meta === arguments[0]); return [t.x, t.y]",
            curve["strategy"],
        )
        assert np.trapezoid(y, x) == pytest.approx(curve["area"][0], abs=1e-4)


@in_chromium
def test_printing_unfolds_everything_and_folds_it_again(page: Any) -> None:
    folded = "return document.querySelectorAll('details:not([open])').length"
    before = page.execute_script(folded)
    assert before > 5
    page.execute_script("dispatchEvent(new Event('beforeprint'))")
    assert page.execute_script(folded) == 0
    page.execute_script("dispatchEvent(new Event('afterprint'))")
    assert page.execute_script(folded) == before


@in_chromium
def test_every_control_and_chart_has_a_name(page: Any) -> None:
    nameless = page.execute_script(
        "return [...document.querySelectorAll('button, select, [role=img], [role=region], th')]"
        ".filter((e) => !(e.ariaLabel || e.textContent.trim())).map((e) => e.outerHTML)"
    )
    assert nameless == []
    levels = page.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3')].map((e) => Number(e.tagName[1]))"
    )
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@in_chromium
def test_a_page_of_one_bare_run_and_one_of_shifts_alone_have_no_errors(
    driver: Any, tmp_path: Path
) -> None:
    bare = write_run(tmp_path / "bare", steps=(0, 200), examples=50, threats=("linf-1/255",))
    everything = write_everything(tmp_path / "all", ("LoRA",), examples=50, steps=(0, 200))
    driver.get_log("browser")
    for folder, charts in ((bare, 6), (everything / "LoRA-ood", 2)):
        path = save_report(*report_of(folder, with_verdicts=False), folder, COMMAND)
        open_page(driver, path)
        assert driver.get_log("browser") == []
        assert len(drawn(driver)) == charts
        assert "None were kept" in driver.find_element("id", "gallery").text
