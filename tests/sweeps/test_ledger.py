from pathlib import Path

import pytest

from robust_tuning.errors import RunError
from robust_tuning.sweeps.file import Sweep
from robust_tuning.sweeps.ledger import Ledger, find_ledger
from robust_tuning.sweeps.records import Record
from robust_tuning.sweeps.storage import open_storage
from tests.sweeps.material import make_ledger, make_sweep


def states(ledger: Ledger) -> list[str]:
    return [record.state for record in ledger.records()]


def claim_first(ledger: Ledger) -> Record:
    ledger.add_due(ledger.records())
    record = next(record for record in ledger.records() if record.state == "waiting")
    assert ledger.claim(record)
    return record


def test_every_cell_is_claimed_once(tmp_path: Path) -> None:
    one, other = make_ledger(tmp_path), make_ledger(tmp_path)
    # Both add all of them, having looked at the same moment.
    before = one.records()
    assert one.add_due(before)
    assert other.add_due(before)
    assert not one.add_due(one.records())
    claimed = []
    for place, record in enumerate(one.records()):
        first, second = (one, other) if place % 2 else (other, one)
        assert first.claim(record)
        assert not second.claim(record)
        claimed.append(first.choose(record))
    assert claimed == make_sweep().cells
    assert states(other) == ["running"] * 4
    assert not other.add_due(other.records())


def test_what_comes_to_nothing(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path, retries=1)
    outcomes = []
    for reason in ("interrupted", "lost", "lost"):
        record = claim_first(ledger)
        assert record.index == 0
        ledger.fail(record, reason, "its last words")
        outcomes.append(ledger.records()[0].state)
    assert outcomes == ["due", "due", "failed"]
    assert ledger.records()[0].log == "its last words"
    record = claim_first(ledger)
    assert record.index == 1
    ledger.fail(record, "failed")
    assert states(ledger)[:2] == ["failed", "failed"]
    ledger.retry_failed()
    assert states(ledger)[:2] == ["waiting", "waiting"]
    assert ledger.choose(ledger.records()[1]) == make_sweep().cells[1]


def test_what_has_been_given_up_cannot_be_ended_by_its_worker(tmp_path: Path) -> None:
    mine, other = make_ledger(tmp_path), make_ledger(tmp_path)
    record = claim_first(mine)
    assert mine.beat(record)
    other.fail(record, "lost")
    assert not mine.beat(record)
    mine.done(record, [0.5])
    mine.report(record, [0.5])
    assert states(mine)[0] == "due"


def test_results(tmp_path: Path) -> None:
    ledger = make_ledger(tmp_path)
    record = claim_first(ledger)
    ledger.report(record, [0.25, 0.5])
    ledger.report(ledger.records()[0], [0.25, 0.5, 0.75])
    assert ledger.records()[0].history == (0.25, 0.5, 0.75)
    ledger.done(record, [0.75])
    ledger.done(early := claim_first(ledger), [0.5], early=True)
    assert early.index == 1
    assert states(ledger)[:2] == ["done", "stopped"]
    assert [r.values for r in ledger.records()][:2] == [(0.75,), (0.5,)]


def test_silence(tmp_path: Path) -> None:
    ledger, looker = make_ledger(tmp_path), make_ledger(tmp_path)
    claim_first(ledger)

    def looks() -> bool:
        return looker.is_silent(looker.records()[0], grace=0.0)

    assert not looks()  # it may have spoken a moment before
    assert looks()
    ledger.beat(ledger.records()[0])
    assert not looks()
    assert not looker.is_silent(looker.records()[0], grace=60.0)


SAMPLED = {
    "method": "random",
    "parameters": {"model.lr": {"min": 0.0, "max": 1.0}, "model.strategy": {"values": ["a", "b"]}},
}


def sampled(count: int = 3) -> Sweep:
    return make_sweep(**SAMPLED, run_cap=count)


def test_sampled_values_depend_on_the_run_alone_and_stay(tmp_path: Path) -> None:
    drawn = []
    for folder, order in ((tmp_path / "a", (0, 1, 2)), (tmp_path / "b", (2, 0, 1))):
        ledger = make_ledger(folder, sampled())
        ledger.add_due(ledger.records())
        records = ledger.records()
        by_index = {}
        for index in order:
            assert ledger.claim(records[index])
            by_index[index] = ledger.choose(records[index])
        drawn.append([by_index[index] for index in range(3)])
    assert drawn[0] == drawn[1]
    assert len({str(values) for values in drawn[0]}) == 3
    ledger.fail(ledger.records()[1], "lost")
    ledger.add_due(ledger.records())
    assert ledger.records()[1].params == drawn[0][1]
    assert ledger.choose(ledger.records()[1]) == drawn[0][1]


def test_a_sweep_can_grow_but_not_change(tmp_path: Path) -> None:
    assert len(make_ledger(tmp_path, sampled()).records()) == 3
    grown = make_ledger(tmp_path, sampled(5))
    assert len(grown.records()) == 5
    storage = open_storage(str(tmp_path / "sweep.journal"))
    changed = {**SAMPLED["parameters"], "model.lr": {"min": 0.0, "max": 2.0}}  # type: ignore[dict-item]
    with pytest.raises(RunError, match=r"another sweep of the name 'mine'.*parameters, model\.lr"):
        find_ledger(storage, make_sweep(**{**SAMPLED, "parameters": changed}, run_cap=3))
    assert find_ledger(storage, make_sweep(name="new")) is None
