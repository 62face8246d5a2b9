"""One, two and three processes find the same."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robust_tuning.attacks import PGD, Outcomes, Progress, evaluate
from robust_tuning.attacks.journal import Journal
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.processes import ProcessError, Processes
from tests.attacks.test_journal import ATTACKS
from tests.attacks.toys import batches, conv_net, images, labelled
from tests.gloo import InMemory, in_processes

NET = conv_net(5)
PICTURES = images(101)
LABELS = labelled(NET, PICTURES)
# Not the positions, and not in order.
INDICES = (torch.arange(101) * 37) % 101 + 1000
WAYS: dict[str, tuple[Any, dict[str, Any]]] = {
    "one": (ATTACKS["one"], {"keep": "float32"}),
    "several radii": (ATTACKS["several radii"], {}),
    "down": (ATTACKS["several radii"], {"inherit": True, "audit": 5, "keep": "uint8"}),
    "stages and gates": (ATTACKS["stages and gates"], {"keep": "float32"}),
    "distances": (ATTACKS["distances"], {"keep": "float32"}),
    "no radius": ([PGD(eps=0, steps=2)], {}),
}


def source(n: int = 101) -> InMemory:
    return InMemory(batches(PICTURES[:n], LABELS[:n], 16, INDICES[:n]), 16)


def every_way(processes: Processes, n: int) -> dict[str, Outcomes]:
    found = {
        way: evaluate(NET, source(n), attacks, batch_size=8, processes=processes, **settings)
        for way, (attacks, settings) in WAYS.items()
    }
    attacks, _ = WAYS["one"]
    warm = found["one"].adversarial
    found["warm"] = evaluate(
        NET, source(n), attacks, batch_size=8, processes=processes, warm_start=warm
    )
    return found


def require_same(one: Outcomes, other: Outcomes, looked_at: int) -> None:
    for name in ("indices", "labels", "clean_correct"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    for name in ("robust", "steps"):
        mine, others = getattr(one, name), getattr(other, name)
        assert mine.keys() == others.keys()
        assert all(np.array_equal(mine[key], others[key]) for key in mine), name
    # Numbers, unlike verdicts, may be rounded otherwise where another batch was attacked.
    assert one.distance.keys() == other.distance.keys()
    assert all(np.allclose(one.distance[k], other.distance[k], rtol=1e-9) for k in one.distance)
    assert one.diagnostics == other.diagnostics
    assert one.audits == other.audits
    assert one.adversarial.keys() == other.adversarial.keys()
    for key, kept in one.adversarial.items():
        for name, values in vars(kept).items():
            assert np.allclose(values, getattr(other.adversarial[key], name), atol=1e-6), name
    # The first process looks at its own first batch twice, which may be smaller.
    assert other.forward - looked_at == one.forward - min(16, len(one.indices))
    assert other.backward == one.backward


@pytest.fixture(scope="module")
def alone() -> dict[str, Outcomes]:
    return every_way(Processes(), 101)


@pytest.mark.parametrize("size", [2, 3])
def test_any_number_of_processes_finds_what_one_finds(
    size: int, alone: dict[str, Outcomes], tmp_path: Path
) -> None:
    for found in in_processes(size, every_way, tmp_path, 101):
        assert isinstance(found, dict), found
        for way, outcomes in found.items():
            require_same(alone[way], outcomes, looked_at=16)


def test_fewer_examples_than_processes(tmp_path: Path) -> None:
    expected = every_way(Processes(), 2)
    for found in in_processes(3, every_way, tmp_path, 2):
        assert isinstance(found, dict), found
        for way, outcomes in found.items():
            require_same(expected[way], outcomes, looked_at=1)


# --- who does what -------------------------------------------------------------------------------


class Counting(nn.Module):
    """Counts the images it has been shown."""

    def __init__(self) -> None:
        super().__init__()
        self.net = conv_net(5)
        self.seen = 0

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen += len(pictures)
        logits: Tensor = self.net(pictures)
        return logits


def hard_share(processes: Processes) -> tuple[int, int, int, list[Progress]]:
    """All images that are not broken at once lie with the first process."""
    pictures = images(240)
    labels = NET(pictures).argmax(1)
    labels[torch.arange(240) % processes.size > 0] += 1
    labels %= 5
    # Misclassified ones cost nothing: the first process has all the work.
    net, own = Counting(), InMemory(batches(pictures, labels), 16)
    attack = PGD(eps=1e-6, steps=30)
    seen: list[Progress] = []
    settings = {"batch_size": 4, "sanity": False, "on_progress": seen.append}
    outcomes = evaluate(net, own, attack, processes=processes, **settings)
    return net.seen, outcomes.forward, len(own.fetched), seen


def test_an_easy_share_helps_with_a_hard_one(tmp_path: Path) -> None:
    mine, yours = in_processes(2, hard_share, tmp_path)
    (first, every, none, seen), (second, _, fetched, _) = mine, yours
    assert first + second == every
    assert none == 0
    assert fetched > 30
    assert min(first, second) > 0.3 * every  # by the clock, which other work disturbs
    # The first process shows how far all of them are.
    done = [state.done for state in seen]
    assert done == sorted(done)
    assert seen[-1].done == seen[-1].total == 240
    assert 0 < next(iter(seen[-1].robust_accuracy.values())) < 1


# --- what goes wrong -----------------------------------------------------------------------------


class Failing(nn.Module):
    """Raises at one of its passes."""

    def __init__(self, at: int, error: BaseException) -> None:
        super().__init__()
        self.net = conv_net(5)
        self.left = at
        self.error = error

    def forward(self, pictures: Tensor) -> Tensor:
        self.left -= 1
        if not self.left:
            raise self.error
        logits: Tensor = self.net(pictures)
        return logits


FAILURES: list[tuple[int, BaseException]] = [(at, DataError("a torn file")) for at in (1, 4, 30)]
FAILURES += [(20, KeyboardInterrupt())]


def failing(processes: Processes) -> list[BaseException | int]:
    """The second process fails again and again, and works in the end."""
    found: list[BaseException | int] = []
    for at, error in [*FAILURES, (0, DataError())]:
        net = Failing(at, error) if processes.rank == 1 else NET
        attack = PGD(eps=0.001, steps=40)
        try:
            outcomes = evaluate(net, source(), attack, batch_size=4, processes=processes)
            found.append(int(outcomes.robust[attack.threat.key].sum()))
        except BaseException as caught:
            found.append(caught)
    return found


def test_an_error_of_one_reaches_all_and_the_next_evaluation_works(tmp_path: Path) -> None:
    first, second = in_processes(2, failing, tmp_path)
    for mine, yours in zip(first[:3], second[:3], strict=True):
        assert isinstance(mine, ProcessError)
        assert "process 1 of 2 failed: DataError: a torn file" in str(mine)
        assert isinstance(yours, DataError)
    # An interruption of one is one of all, so that all of them save.
    assert isinstance(first[3], KeyboardInterrupt)
    assert isinstance(second[3], KeyboardInterrupt)
    assert first[4] == second[4] > 0


def test_several_processes_need_a_source() -> None:
    with pytest.raises(ConfigurationError, match="which are a list: expected a Source"):
        evaluate(NET, batches(PICTURES, LABELS), PGD(), processes=Processes(0, 2))


# --- going on ------------------------------------------------------------------------------------

ATTACKS_GO_ON = [PGD(eps=eps, steps=12) for eps in (0.002, 0.004)]


def going_on(processes: Processes, folder: Path, at: int) -> tuple[Outcomes | None, int]:
    """With every process's journal at hand; the second stops at one of its passes."""
    net = Failing(at, KeyboardInterrupt()) if at and processes.rank == processes.size - 1 else NET
    own = folder / f"{processes.rank}.jsonl"
    journal = Journal(own, [path for path in folder.glob("*.jsonl") if path != own])
    counted = Counting()
    counted.net = net  # type: ignore[assignment]  # another module
    try:
        settings: dict[str, Any] = {"batch_size": 4, "sanity": False, "journal": journal}
        found = evaluate(counted, source(), ATTACKS_GO_ON, processes=processes, **settings)
    except KeyboardInterrupt:
        return None, counted.seen
    return found, counted.seen


@pytest.mark.parametrize("size", [1, 2])
def test_however_many_go_on_where_two_were_interrupted(size: int, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    whole, of_whole = going_on(Processes(), tmp_path / "another", 0)
    assert whole is not None
    assert [found for found, _ in in_processes(2, going_on, tmp_path, folder, 60)] == [None, None]
    known = steps_known(folder)
    assert known > 100
    if size == 1:
        rest = [going_on(Processes(), folder, 0)]
    else:
        rest = in_processes(2, going_on, tmp_path, folder, 0)
    for found, _ in rest:
        assert found is not None
        for key, robust in whole.robust.items():
            assert np.array_equal(found.robust[key], robust)
            assert np.array_equal(found.steps[key], whole.steps[key])
    assert sum(seen for _, seen in rest) <= of_whole - known, "something known was found out again"


def steps_known(folder: Path) -> int:
    """The steps, a pass each, of all verdicts that are written down."""
    lines = [line for file in folder.iterdir() for line in file.read_text().splitlines()]
    return sum(row[1] for line in lines for *_, row in json.loads(line)["verdicts"])
