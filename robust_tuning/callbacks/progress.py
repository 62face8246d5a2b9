"""Progress bars for training and for what is evaluated in between."""

from collections.abc import Iterator
from contextlib import contextmanager

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import RichProgressBar
from lightning.pytorch.utilities import rank_zero_only
from rich import get_console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from robust_tuning.attacks import Progress as EvaluationProgress


class TrainingProgressBar(RichProgressBar):
    """Lightning's rich bar, refreshed a few times a second so that it costs the training nothing.

    Args:
        refresh_rate: Refreshes per second; 0 shows no bar.
    """

    def __init__(self, refresh_rate: int = 4) -> None:
        super().__init__(refresh_rate=refresh_rate)


class EvaluationBar:
    """A line for one evaluation: how far it is, and the robust accuracy so far."""

    def __init__(self, progress: Progress, title: str, total: int) -> None:
        self._progress = progress
        self._title = title
        self._task = progress.add_task(title, total=total)

    def remove(self) -> None:
        """Take the line away.

        The task stays: Lightning finds its own by their places in the list.
        """
        self._progress.update(self._task, visible=False)

    def advance(self, done: int) -> None:
        """Show that so much more is done."""
        self._progress.advance(self._task, done)

    def update(self, state: EvaluationProgress) -> None:
        """Show the state of the evaluation."""
        robust = "  ".join(
            f"{threat} {value:.3f}" for threat, value in state.robust_accuracy.items()
        )
        self._progress.update(
            self._task,
            completed=state.done,
            description=f"{self._title}  robust so far: {robust}",
        )


@contextmanager
def evaluation_bar(trainer: Trainer, title: str, total: int) -> Iterator[EvaluationBar | None]:
    """Show a bar for an evaluation, below the training's where that one is on.

    Yields:
        The bar, or None where the trainer shows no progress or another process does.
    """
    running = trainer.progress_bar_callback
    if not isinstance(running, RichProgressBar) or running.is_disabled:
        yield None
        return
    if running.progress and running.progress.live.is_started:
        bar = EvaluationBar(running.progress, title, total)
        try:
            yield bar
        finally:
            bar.remove()
        return
    with standalone_bar(title, total) as bar:
        yield bar


@contextmanager
def standalone_bar(title: str, total: int) -> Iterator[EvaluationBar]:
    """Show a bar for an evaluation where nothing else is shown."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=get_console(), transient=True) as own:
        yield EvaluationBar(own, title, total)


@rank_zero_only
def announce(text: str) -> None:
    """Print a line above whatever bars are running; once, however many processes say it."""
    get_console().print(text, highlight=False, soft_wrap=True)
