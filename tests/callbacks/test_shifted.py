from pathlib import Path

import numpy as np
import pytest

from robust_tuning.callbacks.shift_plan import ShiftPlan
from robust_tuning.callbacks.shifted import ShiftedEvaluation
from robust_tuning.data import Digits
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.metrics import calibration_error
from robust_tuning.shifts import Corruptions
from tests.runs import make_tuner


def evaluation(plan: ShiftPlan, n: int | None = 23, **settings: int) -> ShiftedEvaluation:
    return ShiftedEvaluation(plan, Digits(**settings), "validation", n)


PLAN = ShiftPlan([Corruptions(corruptions=["fog", "contrast"], severities=[3])])


def test_the_75_views_give_the_same_counts_with_any_batch_size() -> None:
    tuner = make_tuner()
    plan = ShiftPlan([Corruptions()])
    found = [
        evaluation(plan, eval_batch_size=size, num_workers=workers).measure(tuner)
        for size, workers in ((256, 0), (5, 0), (7, 2))
    ]
    assert len(found[0].ood_accuracy) == 75
    for other in found[1:]:
        assert other.ood_accuracy == found[0].ood_accuracy
        for key, shift in found[0].outcomes.shifts.items():
            assert other.outcomes.shifts[key].index.tolist() == shift.index.tolist()
            assert other.outcomes.shifts[key].correct.tolist() == shift.correct.tolist()


def test_what_is_measured() -> None:
    tuner = make_tuner()
    found = evaluation(PLAN).measure(tuner)
    assert found.cost.forward == 3 * 23
    assert found.cost.backward == 0
    assert found.outcomes.index.tolist() == [
        int(Digits().evaluation_examples("validation", 23)[i].indices) for i in range(23)
    ]
    assert set(found.calibration) == {"clean", "fog-3", "contrast-3"}
    assert found.calibration["clean"].n == 23
    # Sure of nothing: a model that is not trained is right about as often as it says.
    sure = calibration_error(np.full(23, 0.1, np.float32), found.outcomes.clean_correct)
    assert found.calibration["clean"].value == pytest.approx(sure.value, abs=0.15)


def test_work_and_price_count_every_image() -> None:
    whole = evaluation(PLAN)
    assert (whole.work, whole.changed) == (69, 46)
    price = whole.price(make_tuner())
    assert (price.sets, price.images, price.changed, price.gradients) == (2, 69, 46, 0)
    assert 0 < price.seconds < 60
    done: list[int] = []
    whole.measure(make_tuner(), done.append)
    assert sum(done) == whole.work


def test_kept_images_are_no_longer_computed(tmp_path: Path) -> None:
    plan = ShiftPlan(PLAN.shifts, cache="disk", cache_dir=str(tmp_path))
    kept, tuner = evaluation(plan), make_tuner()
    before = kept.measure(tuner)
    done: list[int] = []
    kept.keep(tuner, done.append)
    assert sum(done) == 46
    assert kept.changed == 0
    after = kept.measure(tuner)
    assert after.ood_accuracy == before.ood_accuracy
    assert after.shifts == before.shifts


def test_two_shifts_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two shifts are called corruptions"):
        evaluation(ShiftPlan([*PLAN.shifts, Corruptions(corruptions=["snow"])]))


def test_more_examples_than_there_are_are_refused() -> None:
    with pytest.raises(DataError, match="has 300"):
        evaluation(PLAN, 301)
