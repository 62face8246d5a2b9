"""The frontier's file in a run folder: one line per evaluation, safe against a kill at any byte.

A line counts once its end of line is written. Writers append whole lines and flush them to the
disk; readers take no lock, so a run in progress can be read at any time.
"""

import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from robust_tuning.errors import DataError, RunError
from robust_tuning.frontier.files import replace_file, sync_folder
from robust_tuning.frontier.outcomes import ExampleOutcomes, outcomes_path
from robust_tuning.frontier.point import FrontierPoint

FILE_NAME = "frontier.jsonl"


def append_point(folder: Path, point: FrontierPoint) -> None:
    """Append one point to the run's file and flush it to the disk.

    What a killed writer left after the last end of line is dropped first, with a warning. A write
    that fails leaves the file as it was.

    Args:
        folder: The run folder; made if it is missing.
        point: What to append.

    Raises:
        DataError: The point holds a value that JSON cannot hold.
        OSError: The disk is full or the folder is not writable.
    """
    line = point.to_json().encode() + b"\n"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    with path.open("ab+", buffering=0) as file:
        size = _drop_torn_line(file.fileno(), path)
        try:
            written = os.write(file.fileno(), line)
            while written < len(line):
                written += os.write(file.fileno(), line[written:])
            os.fsync(file.fileno())
        except OSError:
            os.truncate(file.fileno(), size)
            raise
    if size == 0:
        sync_folder(folder)


def read_points(folder: Path) -> list[FrontierPoint]:
    """Read the run's points in the order of the file.

    A line that is torn or no point is skipped with a warning that names the file and the line.

    Raises:
        RunError: No such file in the folder, or one written by a newer version.
    """
    return [point for _, point in _read_lines(folder)]


def truncate_points(folder: Path, step: int) -> None:
    """Keep only the points up to and including `step`, before a run continues from there.

    The lines that stay are kept byte for byte; the file is replaced in one piece. A folder without
    the file is left alone.

    Raises:
        RunError: The file was written by a newer version.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return
    kept = b"".join(line + b"\n" for line, point in _read_lines(folder) if point.step <= step)
    replace_file(path, lambda file: file.write(kept))


def replace_point(folder: Path, old: FrontierPoint, new: FrontierPoint) -> None:
    """Put a point in the place of another, such as one that more has been measured of.

    Every other line is kept byte for byte; the file is replaced in one piece.

    Raises:
        RunError: The file holds no such point, or was written by a newer version.
    """
    lines = list(_read_lines(folder))
    sought = old.to_json()
    places = [place for place, (_, point) in enumerate(lines) if point.to_json() == sought]
    if not places:
        message = f"{folder / FILE_NAME} holds no point like the one to replace (step {old.step})"
        raise RunError(message)
    lines[places[-1]] = (new.to_json().encode(), new)
    replace_file(folder / FILE_NAME, lambda file: file.write(b"".join(x + b"\n" for x, _ in lines)))


@dataclass(frozen=True)
class Run:
    """A run folder, as it was when its points were first asked for."""

    folder: Path

    @cached_property
    def points(self) -> tuple[FrontierPoint, ...]:
        """The run's points, see `read_points`."""
        return tuple(read_points(self.folder))

    def outcomes(self, point: FrontierPoint, *, shifts: bool = True) -> ExampleOutcomes:
        """What happened to every example of one of the run's points.

        Args:
            point: One of `points`.
            shifts: False leaves the shifts unread, which takes half the time.

        Raises:
            DataError: The file is missing, damaged, or belongs to another evaluation.
        """
        path = outcomes_path(self.folder, point.step, point.split)
        outcomes = ExampleOutcomes.read(path, shifts=shifts)
        if not outcomes.agrees_with(point):
            message = (
                f"{path} belongs to another evaluation: its counts are not those of the point at "
                f"step {point.step} of {self.folder}"
            )
            raise DataError(message)
        return outcomes


def find_runs(paths: Iterable[Path]) -> list[Run]:
    """Find the run folders that are, or lie anywhere below, the given paths.

    Links are followed; a run reached twice is given once. The order is that of the paths, sorted
    by name below each.

    Raises:
        RunError: A path holds no run.
    """
    runs: dict[Path, Run] = {}
    for path in paths:
        found = {folder.resolve(): Run(folder) for folder in _run_folders(path)}
        if not found:
            what = "no run in this folder" if path.is_dir() else "no such folder"
            message = (
                f"{path}: {what}; expected a run folder (it holds {FILE_NAME}) "
                "or a folder with run folders below it"
            )
            raise RunError(message)
        runs |= {place: run for place, run in found.items() if place not in runs}
    return list(runs.values())


def _run_folders(path: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for folder, below, files in os.walk(path, followlinks=True):
        place = os.path.realpath(folder)
        if place in seen:  # a link back up
            below.clear()
            continue
        seen.add(place)
        below.sort()
        if FILE_NAME in files:
            yield Path(folder)


def _read_lines(folder: Path) -> Iterator[tuple[bytes, FrontierPoint]]:
    path = folder / FILE_NAME
    try:
        *lines, torn = path.read_bytes().split(b"\n")
    except OSError as error:
        message = f"{path} cannot be read ({error.strerror}): expected a run folder"
        raise RunError(message) from error
    for number, line in enumerate(lines, start=1):
        try:
            point = FrontierPoint.from_json(line)
        except DataError as error:
            _warn(f"{path}, line {number} is skipped: {error}")
        except RunError as error:
            message = f"{path}, line {number}: {error}"
            raise RunError(message) from error
        else:
            yield line, point
    if torn:
        _warn(f"{path}, line {len(lines) + 1} is skipped: torn, its end was never written")


def _drop_torn_line(descriptor: int, path: Path) -> int:
    """Cut the file after its last end of line; return its size then."""
    content = path.read_bytes()
    size = content.rfind(b"\n") + 1
    if size < len(content):
        _warn(f"{path} ends in a torn line: its {len(content) - size} bytes are dropped")
        os.truncate(descriptor, size)
    return size


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=3)
