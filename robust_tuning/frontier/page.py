"""The report as one HTML file that needs no network: the answer, charts, tables, examples."""

import base64
import gzip
import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier.comparison import Comparison
from robust_tuning.frontier.files import replace_file
from robust_tuning.frontier.page_data import PointTable, Verdicts, comparison_record, run_record
from robust_tuning.frontier.page_gallery import Gallery
from robust_tuning.frontier.page_shifts import shift_record
from robust_tuning.frontier.plots import COLOURS
from robust_tuning.frontier.shift_panel import ShiftPanel
from robust_tuning.frontier.store import Run

FILE_NAME = "report.html"
_SCRIPTS = ("dom.js", "charts.js", "tables.js", "details.js", "page.js")


def save_report(
    comparisons: Sequence[Comparison],
    shift_panels: Sequence[ShiftPanel],
    verdicts: Verdicts,
    runs: Sequence[Run],
    folder: Path,
    command: str,
) -> Path:
    """Write `report.html`: one file with everything in it, for readers who know nothing of it.

    The same arguments give the same file, byte for byte.

    Args:
        comparisons: From `compare`.
        shift_panels: From `compare_shifts`.
        verdicts: By conditions and threat, the answer of a panel; where one is missing the page
            states the areas alone.
        runs: The very runs that the comparisons were made from. The page also takes from their
            folders `config.yaml` and `examples/THREAT.npz`, each where it is there.
        folder: Where the file goes; made if it is missing.
        command: The command line that makes this report, for the reader to repeat.

    Returns:
        The file.

    Raises:
        ConfigurationError: plotly is missing.
        OSError: The file cannot be written.
    """
    library = _plotly()
    data = report_data(comparisons, shift_panels, verdicts, runs, command)
    page = files(__package__) / "page"
    script = "\n".join((page / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    text = Template((page / "template.html").read_text(encoding="utf-8")).substitute(
        title=escape(data["title"]),
        style=(page / "style.css").read_text(encoding="utf-8"),
        script=script,
        data=_inside_script(data),
        plotly=_packed(library),
    )
    path = folder / FILE_NAME
    replace_file(path, lambda file: file.write(text.encode()))
    return path


def report_data(
    comparisons: Sequence[Comparison],
    shift_panels: Sequence[ShiftPanel],
    verdicts: Verdicts,
    runs: Sequence[Run],
    command: str,
) -> dict[str, Any]:
    """Everything that the page shows, as plain JSON values."""
    confidence = comparisons[0].settings.confidence if comparisons else 0.95
    table, gallery = PointTable(runs, confidence), Gallery(runs)
    benchmarks = dict.fromkeys(run.points[0].benchmark for run in runs)
    return {
        "title": f"Accuracy and robustness: {', '.join(benchmarks)}",
        "command": command,
        "colours": list(COLOURS),
        "strategies": sorted({point.strategy for run in runs for point in run.points}),
        "points": table.records,
        "comparisons": [comparison_record(c, verdicts, table) for c in comparisons],
        "shifts": [shift_record(panel) for panel in shift_panels],
        "runs": [run_record(run, _config(run)) for run in runs],
        "gallery": gallery.records,
        "pictures": gallery.uris,
        "gallery_warnings": gallery.warnings,
    }


def _config(run: Run) -> str | None:
    try:
        return (run.folder / "config.yaml").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _inside_script(data: dict[str, Any]) -> str:
    """JSON that no text inside it can end the script element of."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c")


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        message = "no report.html without plotly: pip install 'robust-tuning[report]'"
        raise ConfigurationError(message) from error
    return str(get_plotlyjs())


def _packed(text: str) -> str:
    """Gzip in base64: under half the size; the page inflates it."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()
