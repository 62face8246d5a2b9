from pathlib import Path
from typing import Any

import numpy as np

from robust_tuning import processes as module
from robust_tuning.attacks.exchange import Exchange
from robust_tuning.attacks.journal import Verdicts
from robust_tuning.processes import Processes
from tests.gloo import in_processes


def verdicts(broken: list[bool]) -> Verdicts:
    n = len(broken)
    no = np.zeros(n, dtype=bool)
    return Verdicts(np.array(broken), np.arange(n), np.zeros(n), no, no, np.full(n, np.inf))


def talk(processes: Processes) -> list[Any]:
    module._SECONDS = 0.0  # type: ignore[misc]  # at once
    exchange, heard = Exchange(processes, "linf-1"), []
    with processes.together():
        for final in (False, True):
            if processes.rank == 1:
                exchange.note(np.array([7, 8, 9]), verdicts([True, False, False]), final=final)
            exchange.keep_up()
            processes.gather(None)
            exchange.keep_up()
            heard.append((exchange.decided, exchange.broken))
            found = [(p.tolist(), v.broken.tolist()) for p, v in exchange.conclude()]
            heard.append(found)
            heard.append((exchange.decided, exchange.broken))
    return heard


def test_verdicts_are_exchanged_once_a_stage_and_counted_meanwhile(tmp_path: Path) -> None:
    first, second = in_processes(2, talk, tmp_path)
    told = [([7, 8, 9], [True, False, False])]
    # Unbroken ones are decided by the last stage alone.
    assert first == [(1, 1), told, (0, 0), (3, 1), told, (0, 0)]
    assert second == [(0, 0), [], (0, 0)] * 2


def test_one_alone_remembers_nothing() -> None:
    exchange = Exchange(Processes(), "linf-1")
    exchange.note(np.array([7]), verdicts([True]), final=True)
    exchange.keep_up()
    assert list(exchange.conclude()) == []
    assert (exchange.decided, exchange.broken) == (0, 0)
