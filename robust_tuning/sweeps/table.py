"""How far a sweep is, for whoever watches."""

import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from robust_tuning.sweeps.file import Sweep
from robust_tuning.sweeps.records import ENDED, Record

_SHOWN = ("running", "waiting", "done", "stopped", "failed")
_MOST_ROWS = 12


class ProgressTable:
    """Counts, the runs in progress, the best so far, the time left; live in a terminal.

    Elsewhere a line is printed for each run that has ended.

    Args:
        sweep: What is run.
        console: Where to.
    """

    def __init__(self, sweep: Sweep, console: Console) -> None:
        self._sweep = sweep
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._over: set[int] | None = None
        self._began: dict[int, float] = {}

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen."""
        if self._live is not None:
            self._live.stop()

    def show(self, records: Sequence[Record]) -> None:
        """Show the runs as they are now."""
        for record in records:
            if record.state == "running":
                self._began.setdefault(record.trial_id, time.monotonic())
        if self._live is not None:
            self._live.update(self._render(records), refresh=True)
            return
        over = {record.index for record in records if record.is_over}
        if self._over is None and over:
            self._print(self.summary(records))
        for index in sorted(over - self._over if self._over is not None else ()):
            self._print(self._sentence(records[index]))
            self._print(f"  {self.summary(records)}")
        self._over = over

    def summary(self, records: Sequence[Record]) -> str:
        """All in one line."""
        counts: Counter[str] = Counter("waiting" if r.state == "due" else r.state for r in records)
        parts = [f"{counts[state]} {state}" for state in _SHOWN if counts[state]]
        if (best := self.best(records)) is not None:
            parts.append(f"best {self._sweep.metric} {self._values(best)} ({self._name(best)})")
        if (left := time_left(records)) is not None:
            parts.append(f"about {_duration(left)} left")
        return ", ".join(parts)

    def best(self, records: Sequence[Record]) -> Record | None:
        """The run with the best value so far; of two objectives, with the largest product."""

        def worth(record: Record) -> float:
            reached = record.values or record.history[-1:]
            product = 1.0
            for value in reached:
                product *= value
            return product if self._sweep.maximise else -product

        measured = [r for r in records if r.values or r.history]
        return max(measured, key=worth, default=None)

    def _render(self, records: Sequence[Record]) -> Group:
        table = Table("run", "points", self._sweep.metric, "for", box=None, pad_edge=False)
        running = [record for record in records if record.state == "running"]
        for record in running[:_MOST_ROWS]:
            passed = time.monotonic() - self._began[record.trial_id]
            row = (self._name(record), str(len(record.history)), self._values(record))
            table.add_row(*map(Text, (*row, _duration(timedelta(seconds=passed)))))
        if len(running) > _MOST_ROWS:
            table.add_row(f"and {len(running) - _MOST_ROWS} more")
        failed = [record for record in records if record.state == "failed"]
        notes = [Text(self._sentence(record), style="red") for record in failed[-3:]]
        return Group(Text(self.summary(records)), *([table] if running else []), *notes)

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _name(self, record: Record) -> str:
        cells = self._sweep.cells
        cell = cells[record.index] if record.index < len(cells) else {}
        name = self._sweep.run_name(record.index, cell)
        if self._sweep.method == "grid" or not record.params:
            return name
        return f"{name} {', '.join(f'{_short(v)}' for v in record.params.values())}"

    def _values(self, record: Record) -> str:
        return " / ".join(f"{value:.4g}" for value in record.values or record.history[-1:])

    def _sentence(self, record: Record) -> str:
        if record.state == "failed":
            why = (record.log.strip().split("\n") or [""])[-2:]
            return f"{self._name(record)} failed: {' | '.join(why)}"
        return f"{self._name(record)} {record.state}: {self._sweep.metric} {self._values(record)}"


def time_left(records: Sequence[Record]) -> timedelta | None:
    """How long it takes until all are over, if all take as long as those that are; or None."""
    took = [r.duration for r in records if r.state in ("done", "stopped") and r.duration]
    open_ = [record for record in records if record.state not in ENDED]
    running = sum(record.state == "running" for record in records)
    if not took or not open_ or not running:
        return None
    mean = sum(took, timedelta()) / len(took)
    return mean * (len(open_) - running / 2) / running


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _duration(length: timedelta) -> str:
    minutes, seconds = divmod(round(length.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}"
