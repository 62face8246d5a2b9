"""Examples dealt to processes as these run out of work."""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from robust_tuning.processes import Processes

_NOTHING = np.empty(0, dtype=np.int64)


class Deal:
    """Lists of examples, one for each process, which all of them take from.

    A process works on its own list, whose images it has at hand, and then on what is left of the
    others': what an example costs is known only afterwards. How far each list is taken is a counter
    that all share, so that nothing is taken twice. What is taken shrinks with what is left, since a
    process cannot give back what it has begun.

    Args:
        processes: They.
        name: Of this deal; no other has it.
        lists: By rank, what lies with each process.
    """

    def __init__(self, processes: Processes, name: str, lists: Sequence[NDArray[np.int64]]) -> None:
        self._processes = processes
        self._name = name
        self._lists = lists
        ranks = deque(range(processes.size))
        ranks.rotate(-processes.rank)
        self._owners = deque(rank for rank in ranks if len(lists[rank]))
        self._taken = [0] * len(lists)

    def take(self, room: int) -> NDArray[np.int64]:
        """Some examples, at most `room`; none where everything is taken."""
        while self._owners:
            owner = self._owners[0]
            own = self._lists[owner]
            amount = min(room, self._portion(owner))
            end = self._processes.add(f"{self._name}/{owner}", amount)
            begin, self._taken[owner] = end - amount, end
            if end >= len(own):
                self._owners.popleft()
            if begin < len(own):
                return own[begin:end]
        return _NOTHING

    def _portion(self, owner: int) -> int:
        # From another's list less, which all may be after.
        left = len(self._lists[owner]) - self._taken[owner]
        parts = 2 if owner == self._processes.rank else 2 * self._processes.size
        return max(1, left // parts)
