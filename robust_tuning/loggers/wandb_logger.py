"""The logger of a run at Weights & Biases."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from robust_tuning.frontier import FrontierPoint
from robust_tuning.frontier.examples import PerturbedExamples
from robust_tuning.frontier.history import KEYS, to_row
from robust_tuning.loggers.wandb_media import media

log = logging.getLogger(__name__)


class RunLogger(WandbLogger):
    """Logs curves, points and pictures; no trouble of its own ends a training."""

    _complained = False

    def define_axes(self) -> None:
        """Draw what belongs to the points against their own steps."""
        define = getattr(self.experiment, "define_metric", None)
        if define is not None:
            define("frontier/step")
            define("frontier/*", step_metric="frontier/step")
            for name in KEYS:
                define(name, step_metric="frontier/step", summary="none", hidden=True)

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:  # noqa: ANN401  Lightning's signature
        """Log settings."""
        self._tried(lambda: super(RunLogger, self).log_hyperparams(params))

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Log numbers as one row."""
        self._tried(lambda: super(RunLogger, self).log_metrics(metrics, step))

    @rank_zero_only
    def log_point(
        self,
        points: Sequence[FrontierPoint],
        place: int,
        metrics: Mapping[str, float],
        examples: Mapping[str, PerturbedExamples],
    ) -> None:
        """Log a point as one row: numbers, its line, the table of all points, charts, pictures.

        Args:
            points: All of the run so far.
            place: Where among them the one to log stands.
            metrics: What was measured just now.
            examples: By threat, a few adversarial images.
        """
        point = points[place]
        numbers: dict[str, Any] = {**metrics, **to_row(points, place)}
        if point.split != points[0].split:  # the area in the summary stays that of the training
            numbers = {k: v for k, v in numbers.items() if not k.startswith("frontier/area")}

        def log_with(more: Callable[[], dict[str, Any]]) -> bool:
            log_row = super(RunLogger, self).log_metrics
            return self._tried(lambda: log_row({**numbers, **more()}, point.step))

        # A row is sent whole or not at all: if the files of its pictures fail, without them.
        if not log_with(lambda: media(points, examples)):
            log_with(dict)

    def _tried(self, action: Callable[[], object]) -> bool:
        """Whether it worked; the first time that something does not, say so."""
        try:
            action()
        except Exception as error:  # whatever it is, the training is worth more
            if not self._complained:
                log.warning("%s", complaint(error, Path(self.save_dir or ".")))
            self._complained = True
            return False
        return True


def complaint(error: Exception, folder: Path) -> str:
    """What went wrong at Weights & Biases, and how to make up for it."""
    return (
        f"Weights & Biases failed ({type(error).__name__}: {error}); training goes on, and "
        f"{folder / 'frontier.jsonl'} holds every point. What could be logged lies in "
        f"{folder / 'wandb'}: `wandb sync` with its run folders uploads it later"
    )
