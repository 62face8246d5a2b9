"""When to evaluate, counted in optimiser steps."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from robust_tuning.errors import ConfigurationError

# (up to this step, every so many steps), in order.
_PRESETS: dict[str, tuple[tuple[int, int], ...]] = {
    "paper": ((700, 50), (3_000, 1_000), (10**12, 6_000)),
    "paper-code": (
        (100, 50),
        (300, 30),
        (1_000, 200),
        (3_000, 2_000),
        (10_000, 4_000),
        (30_000, 6_000),
        (10**12, 20_000),
    ),
}


@dataclass(frozen=True)
class Schedule:
    """The steps at which a model is evaluated; none twice.

    Args:
        preset: `paper`: every 50 steps to 700, every 1,000 to 3,000, every 6,000 after (arXiv
            2503.14836, as described). `paper-code`: the multiples of 50 up to 100, of 30 up to 300,
            of 200 up to 1,000, of 2,000 up to 3,000, of 4,000 up to 10,000, of 6,000 up to 30,000
            and of 20,000 after (as the study's code has it). `epoch`: the end of every epoch. What
            the other arguments name comes on top.
        start: Before the first step.
        steps: These steps.
        every_n_steps: Every multiple.
        epoch_ends: The end of every epoch.
        end: The end of fitting.

    Raises:
        ConfigurationError: If the preset is unknown or a number is not positive.
    """

    preset: Literal["paper", "paper-code", "epoch"] | None = None
    start: bool = True
    steps: tuple[int, ...] = ()
    every_n_steps: int | None = None
    epoch_ends: bool = False
    end: bool = True

    def __post_init__(self) -> None:
        if self.preset not in (None, "epoch", *_PRESETS):
            known = ", ".join(["epoch", *_PRESETS])
            message = f"schedule.preset is {self.preset!r}, expected one of {known}"
            raise ConfigurationError(message)
        every = 1 if self.every_n_steps is None else self.every_n_steps
        if min(every, *self.steps, 1) < 1:
            message = (
                f"schedule.steps is {list(self.steps)} and every_n_steps {self.every_n_steps}, "
                "expected positive numbers of optimiser steps"
            )
            raise ConfigurationError(message)

    @property
    def at_epoch_ends(self) -> bool:
        """Whether the end of an epoch is a time to evaluate."""
        return self.epoch_ends or self.preset == "epoch"

    def due(self, step: int) -> bool:
        """Whether to evaluate after `step` optimiser steps, wherever in an epoch they end.

        >>> schedule = Schedule(preset="paper", steps=(10,))
        >>> [step for step in range(1, 1_100) if schedule.due(step)][:3]
        [10, 50, 100]
        """
        if step == 0:
            return self.start
        if step in self.steps or (self.every_n_steps and step % self.every_n_steps == 0):
            return True
        bounds = ((0, 0), *_PRESETS.get(self.preset or "", ()))
        return any(
            low < step <= high and step % every == 0 for (low, _), (high, every) in pairwise(bounds)
        )
