"""What the processes find out in one stage of an attack, brought together at its end."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from robust_tuning.attacks.journal import Verdicts
from robust_tuning.processes import Processes, Total

Found = tuple[NDArray[np.int64], Verdicts]


class Exchange:
    """The verdicts that this process has reached and the others do not know yet.

    Args:
        processes: Those that work together; one alone exchanges nothing.
        name: Of what they work on; nothing else has it.

    Attributes:
        decided: Verdicts that other processes have reached in this stage, a moment ago.
        broken: Examples that they have broken.
    """

    def __init__(self, processes: Processes, name: str) -> None:
        self._processes = processes
        self._name = name
        self._stage = 0
        self._begin()

    def _begin(self) -> None:
        self._found: list[Found] = []
        self._own_decided = self._own_broken = 0
        self.decided = self.broken = 0
        self._totals = [
            Total(self._processes, f"{self._name}/{self._stage}/{what}")
            for what in ("decided", "broken")
        ]

    def note(self, places: NDArray[np.int64], verdicts: Verdicts, *, final: bool) -> None:
        """Remember what was found.

        Args:
            places: Positions in the evaluation `(B,)`.
            verdicts: On them.
            final: Whether nothing comes after this stage.
        """
        if self._processes.size == 1:
            return
        self._found.append((places, verdicts))
        broken = int(verdicts.broken.sum())
        self._own_broken += broken
        self._own_decided += len(places) if final else broken

    def keep_up(self) -> None:
        """Tell the others how far this process is, and hear of them; after each step.

        Raises:
            RobustTuningError: If one of them has failed.
        """
        if self._processes.check():
            decided, broken = self._totals
            self.decided = decided.elsewhere(self._own_decided)
            self.broken = broken.elsewhere(self._own_broken)

    def conclude(self) -> Iterator[Found]:
        """What the others found; waits for the last of them."""
        everything = self._processes.gather(self._found)
        self._stage += 1
        self._begin()
        for rank, found in enumerate(everything):
            if rank != self._processes.rank:
                yield from found
