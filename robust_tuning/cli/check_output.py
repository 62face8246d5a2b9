"""What a check of a benchmark's files has found, for people, for programs and for training."""

import json
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from robust_tuning.data.check_report import (
    KINDS,
    NOT_RGB,
    SKIPPABLE,
    Finding,
    ListSummary,
    Report,
)
from robust_tuning.data.listing import some_of
from robust_tuning.data.skipping import read_skip_list, write_skip_list
from robust_tuning.storage import storage_errors

_EXAMPLES = 3


def print_report(report: Report, console: Console) -> None:
    """Print what the lists hold, what was found, and what it means."""
    verdict = (
        f"{report.use} would be affected" if report.affects_training else f"ready for {report.use}"
    )
    console.print(_lists(report.lists) if report.lists else "no list could be read")
    if report.findings:
        console.print(_findings(report))
    console.print(
        _text(f"{report.benchmark} in {report.folder}: {report.images:,} images read, {verdict}"),
        soft_wrap=True,
    )


def write_json(report: Report, target: str) -> None:
    """Write the whole report to a file, or, for `-`, to the standard output.

    Raises:
        DataError: If the file cannot be written.
    """
    text = json.dumps(report.to_json(), indent=2)
    if target == "-":
        print(text)
        return
    path = Path(target)
    with storage_errors(f"writing {path}", path.parent):
        path.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {path}", file=sys.stderr)


def write_skip(report: Report, earlier: str | None, target: Path) -> None:
    """Write the images that cannot be read, and those that an earlier list leaves out.

    Raises:
        DataError: If the file cannot be written.
    """
    skipped = frozenset[str]() if earlier is None else read_skip_list(earlier)
    counts = {kind.name: len(report.of(kind)) for kind in SKIPPABLE}
    reasons = [f"{n:,} {name}" for name, n in counts.items() if n]
    reasons += [f"{len(skipped):,} left out before"] if skipped else []
    comment = f"{report.benchmark}: {', '.join(reasons) or 'nothing to leave out'}"
    with storage_errors(f"writing {target}", target.parent):
        write_skip_list(target, skipped.union(report.files(*SKIPPABLE)), comment)
    to_train = f"train with --data.skip {shlex.quote(str(target))}"
    print(f"wrote {target} ({comment}); {to_train}", file=sys.stderr)


def _lists(summaries: Sequence[ListSummary]) -> Table:
    table = Table(title="lists", title_justify="left")
    for name in ("list", "images", "expected", "left out", "per class"):
        table.add_column(name, justify="left" if name == "list" else "right")
    table.add_column("classes without images")
    for summary in summaries:
        classes = f"{summary.smallest} / {summary.median:g} / {summary.largest}"
        table.add_row(
            _text(summary.name),
            f"{summary.images:,}",
            "" if summary.expected is None else f"{summary.expected:,}",
            f"{summary.skipped:,}",
            classes,
            _text(some_of(summary.empty_classes)),
        )
    table.caption = "per class: smallest / median / largest"
    return table


def _findings(report: Report) -> Table:
    table = Table(title="findings", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column(f"affects {report.use}")
    table.add_column("examples", overflow="fold")
    for kind in KINDS:
        found = report.of(kind)
        if found:
            affects = Text("yes", style="bold red") if kind.affects_training else Text("no")
            table.add_row(kind.meaning, f"{len(found):,}", affects, _examples(found))
    return table


def _examples(findings: Sequence[Finding]) -> Group:
    lines = [_line(finding) for finding in findings[:_EXAMPLES]]
    if findings[0].kind is NOT_RGB:
        kinds = Counter(finding.detail for finding in findings)
        lines.insert(0, "; ".join(f"{n:,} {detail}" for detail, n in kinds.most_common()))
    if len(findings) > _EXAMPLES:
        lines.append(f"and {len(findings) - _EXAMPLES:,} more")
    return Group(*map(_text, lines))


def _line(finding: Finding) -> str:
    names = ", ".join(finding.files[:_EXAMPLES])
    more = f" and {len(finding.files) - _EXAMPLES:,} more" if len(finding.files) > _EXAMPLES else ""
    return f"{names}{more}: {finding.detail}" if finding.detail else names + more


def _text(content: str) -> Text:
    """Text that is no markup; file names may hold bytes that are no characters."""
    return Text(content.encode("utf-8", "backslashreplace").decode())
