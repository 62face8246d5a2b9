"""A headless Chromium without a network, for the tests of the report and for its pictures.

`python -m tests.frontier.browser report.html docs/images` takes the two pictures of docs/report.md.
"""

import io
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
# A proxy that is not there: whatever is asked of the network fails.
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--proxy-server=127.0.0.1:9",
)


@contextmanager
def browser() -> Iterator[Any]:
    """A driver with its own empty profile; it logs the console and every request."""
    from selenium import webdriver

    with tempfile.TemporaryDirectory() as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for option in (*OPTIONS, f"--user-data-dir={profile}"):
            options.add_argument(option)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options, webdriver.ChromeService(str(DRIVER)))
        try:
            driver.set_script_timeout(60)
            yield driver
        finally:
            driver.quit()


def open_page(driver: Any, path: Path, *, width: int = 1280, dark: bool = False) -> None:
    """Open a report at a width of the window and wait until its charts are drawn."""
    from selenium.webdriver.support.wait import WebDriverWait

    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    driver.get(path.resolve().as_uri())
    ready = "return document.body.dataset.ready === 'true'"
    WebDriverWait(driver, 60).until(lambda found: found.execute_script(ready))


def picture(driver: Any, height: int | None = None) -> bytes:
    """A PNG of the page from its top, whole unless a height is given."""
    import base64

    size = driver.execute_script(
        "return [document.documentElement.clientWidth, document.documentElement.scrollHeight]"
    )
    clip = {"x": 0, "y": 0, "width": size[0], "height": height or size[1], "scale": 1}
    settings = {"format": "png", "captureBeyondViewport": True, "clip": clip}
    answer = driver.execute_cdp_cmd("Page.captureScreenshot", settings)
    return base64.b64decode(answer["data"])


def save_pictures(report: Path, folder: Path) -> None:
    """Write `report-1280.png` and `report-390.png` with 256 colours, each under 300 kB."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for width, height in ((1280, 1900), (390, 3100)):
        with browser() as driver:
            open_page(driver, report, width=width)
            shown = Image.open(io.BytesIO(picture(driver, height))).convert("RGB")
        path = folder / f"report-{width}.png"
        # Median cut, the default, would give two strategies one colour.
        few = shown.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(path, optimize=True)
        print(f"wrote {path}, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    save_pictures(Path(sys.argv[1]), Path(sys.argv[2]))
