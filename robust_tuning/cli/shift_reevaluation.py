"""Evaluating the stored points of a run on shifted images."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch

from robust_tuning.callbacks.progress import announce, standalone_bar
from robust_tuning.callbacks.recorder import stored_points
from robust_tuning.callbacks.shift_plan import ShiftPlan
from robust_tuning.callbacks.shifted import ShiftedEvaluation
from robust_tuning.cli.reevaluation import duration, store
from robust_tuning.cli.stored_run import build_data, points_with_weights, read_config
from robust_tuning.frontier import FrontierPoint, Run
from robust_tuning.trajectory import load_point, trajectory_path
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Split


@dataclass(frozen=True)
class ShiftWork:
    """What is done to each point.

    Attributes:
        plan: Which shifts, and who attacks their images.
        split: Where the examples come from.
        n: How many of each set; `all`, or None for as many as the run's own evaluations took.
        device: Where.
        pretrained: The backbone's weights file, where it has moved.
        steps: Which points; None takes all.
    """

    plan: ShiftPlan
    split: Split
    n: int | Literal["all"] | None
    device: torch.device
    pretrained: str | None
    steps: Sequence[int] | None = None


class ShiftReevaluation:
    """One run, and what is to be measured of its stored points.

    Attributes:
        folder: Where the results are, below `RUN/evaluations/` and itself in the form of a run.
        due: Points that have no result there.

    Args:
        run: The run.
        work: What is done.

    Raises:
        RunError: If the run keeps no weights or no configuration.
        ConfigurationError: If a shift does not go with the run's benchmark.
        DataError: If files of a shift are missing or damaged.
    """

    def __init__(self, run: Run, work: ShiftWork) -> None:
        self._run = run
        self._work = work
        points = points_with_weights(run, work.steps)
        config = read_config(run.folder)
        count = (config.get("adversarial") or {}).get("n") if work.n is None else work.n
        n = None if count == "all" else count
        data = build_data(config["data"])
        tuner = self._load(points[0])
        data.match(tuner.backbone.image_input)
        self._evaluation = ShiftedEvaluation(work.plan, data, work.split, n)
        for words in self._evaluation.findings:
            announce(words)
        shifts = self._evaluation.identities(tuner)
        prints = "".join(shift.fingerprint for shift in shifts.values())
        names = "_".join(shift.name for shift in work.plan.shifts)
        digest = sha256(prints.encode()).hexdigest()[:16]
        place = f"{digest}-{work.split}-{'all' if n is None else n}-{names}"
        self.folder: Path = run.folder / "evaluations" / place
        done = {known.step for known in stored_points(self.folder)}
        self.due = [point for point in points if point.step not in done]

    def expected_in_words(self) -> str:
        """What the points due will take."""
        if not self.due:
            return "on shifted images"
        price = self._evaluation.price(self._load(self.due[0]))
        whole = duration(price.seconds * len(self.due))
        return f"on {price}; {whole} on {self._work.device} for all points"

    def evaluate(self, point: FrontierPoint, title: str) -> None:
        """Evaluate a point and store what is found."""
        tuner = self._load(point)
        if self._evaluation.changed and self._work.plan.cache != "none":
            with standalone_bar("keeping shifted images", self._evaluation.changed) as bar:
                self._evaluation.keep(tuner, bar.advance)
        with standalone_bar(title, self._evaluation.work) as bar:
            store(self.folder, point, self._evaluation.measure(tuner, bar.advance))

    def _load(self, point: FrontierPoint) -> RobustTuner:
        path = trajectory_path(self._run.folder, point.step)
        return load_point(path, pretrained=self._work.pretrained).to(self._work.device)
