"""A progress bar for whatever goes through many bytes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

_WORTH_SHOWING = 32 << 20


@contextmanager
def byte_bar(
    title: str, total: int, *, done: int = 0, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """Show how many bytes are done, on stderr, while the body runs.

    Where stderr is not a terminal, or for less than 32 MiB, nothing is shown.

    Args:
        title: What is going on: "Downloading lists.tar".
        total: Bytes in all.
        done: Bytes that were done before.
        console: Where to show the bar; None takes stderr.

    Yields:
        A function that takes the number of bytes done so far, those from before included.

    Example:
        >>> with byte_bar("Reading", 100) as show:
        ...     show(50)
    """
    console = Console(stderr=True) if console is None else console
    if not console.is_terminal or total < _WORTH_SHOWING:
        yield lambda _: None
        return
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task(title, total=total, completed=done)
        yield lambda so_far: progress.update(task, completed=so_far)
