"""An evaluation that dies goes on with the examples that it had not come to."""

from argparse import Namespace
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robust_tuning.attacks import APGD, PGD, Cascade, journal
from robust_tuning.attacks.journal import Cost, Verdicts
from robust_tuning.attacks.pool import Pool
from robust_tuning.callbacks import FrontierRecorder
from robust_tuning.callbacks.unfinished import Unfinished
from robust_tuning.frontier import read_points
from robust_tuning.tuner import RobustTuner
from tests.runs import make_data, make_evaluation, make_trainer, make_tuner
from tests.test_resume import rows


class DeadError(BaseException):
    """Where the process is gone."""


class Steps:
    """Counts the steps of all attacks, and ends everything at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken = 0
        self.last = -1
        real = Pool._step

        def step(pool: Pool) -> None:
            if self.taken == self.last:
                raise DeadError
            self.taken += 1
            real(pool)

        monkeypatch.setattr(Pool, "_step", step)

    def of(
        self, folder: Path, tuner: RobustTuner, last: int = -1, data_seed: int = 0, **settings: Any
    ) -> int:
        """How many an evaluation takes until it ends."""
        self.taken, self.last = 0, last
        attack = Cascade([APGD(steps=12), PGD(steps=8)])
        evaluation = make_evaluation(
            **{"attack": attack, "eps": ["1/255"], "n": 120, "batch_size": 2, **settings}
        )
        recorder = FrontierRecorder(folder=str(folder))
        trainer = make_trainer(folder, evaluation, recorder)
        with pytest.raises(DeadError) if last >= 0 else nullcontext():
            trainer.validate(tuner, datamodule=make_data(seed=data_seed), verbose=False)
        return self.taken


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    monkeypatch.setattr(journal, "_SECONDS", 0.0)
    return Steps(monkeypatch)


def test_what_dies_at_four_fifths_takes_about_a_fifth_more(steps: Steps, tmp_path: Path) -> None:
    whole = steps.of(tmp_path / "whole", make_tuner())
    assert whole > 50
    cut = steps.of(tmp_path / "cut", make_tuner(), last=int(0.8 * whole))
    assert list((tmp_path / "cut" / "journal").iterdir())
    rest = steps.of(tmp_path / "cut", make_tuner())
    assert rest < 0.35 * whole
    assert cut + rest < 1.15 * whole
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")
    assert not (tmp_path / "cut" / "journal").exists()
    costs = [read_points(tmp_path / name)[0].cost for name in ("whole", "cut")]
    assert costs[0].backward <= costs[1].backward < 1.15 * costs[0].backward


OTHERS: dict[str, dict[str, Any]] = {
    "attack": {"attack": PGD(steps=9)},
    "number of examples": {"n": 100},
    "inherited verdicts": {"inherit": True},
    "data": {"data_seed": 5},
}


@pytest.mark.parametrize("other", [*OTHERS, "weights"])
def test_another_evaluation_takes_nothing_from_it(other: str, steps: Steps, tmp_path: Path) -> None:
    settings = OTHERS.get(other, {})
    tuner = make_tuner(seed=3) if other == "weights" else make_tuner()
    whole = steps.of(tmp_path / "whole", tuner, **settings)
    steps.of(tmp_path / "cut", make_tuner(), last=20)
    assert steps.of(tmp_path / "cut", tuner, **settings) == whole
    assert not (tmp_path / "cut" / "journal").exists()


def test_processes_know_each_others_verdicts_until_the_first_forgets(tmp_path: Path) -> None:
    tuner = make_tuner()
    first, second, third = (
        Unfinished(tmp_path, Namespace(global_rank=rank))  # type: ignore[arg-type]  # all that it asks of a trainer
        for rank in range(3)
    )
    terms = {"attack": "a"}
    verdicts = Verdicts(*(np.array([value]) for value in (True, 3, 0.5, False, False, 0.1)))
    for process, example in ((first, 7), (second, 8)):
        written = process.journal(tuner, terms)
        with written.open_until_done(Cost):
            written.enter("linf-1/255", 0, np.array([example]), verdicts)
    both = np.array([7, 8])
    for process in (first, second, third):
        assert process.journal(tuner, terms).known("linf-1/255", 0, both).all()
    assert not third.journal(tuner, {"attack": "b"}).known("linf-1/255", 0, both).any()
    second.forget()
    assert first.journal(tuner, terms).known("linf-1/255", 0, both).all()
    first.forget()
    first.forget()
    assert list(tmp_path.iterdir()) == []
