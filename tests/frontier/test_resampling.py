import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robust_tuning.frontier import resampling
from robust_tuning.frontier.resampling import ExampleSets, MeasuredSet, resampled_accuracies
from robust_tuning.frontier.statistics import resampling_weights

REPLICATES = 500


def draw(sets: ExampleSets, evaluations: list[list[MeasuredSet]]) -> np.ndarray:
    return np.stack(list(resampled_accuracies(evaluations, sets, REPLICATES, seed=3)))


def test_equal_sets_have_one_number() -> None:
    sets = ExampleSets()
    index, label = np.arange(5), np.arange(5) % 2
    first = sets.add(index, label)
    index_again = index.copy()
    assert sets.add(index_again, label.copy()) == first
    index[0] = 99  # the caller's array is not kept
    assert sets.add(np.arange(5), label) == first
    assert sets.add(np.arange(5), 1 - label) != first
    assert sets.add(np.arange(4), label[:4]) != first


def test_a_part_in_any_order_is_drawn_with_its_whole() -> None:
    sets = ExampleSets()
    part = sets.add(np.array([30, 10]), np.array([3, 1]))
    whole = sets.add(np.array([40, 10, 20, 30]), np.array([4, 1, 2, 3]))
    other = sets.add(np.array([10, 30]), np.array([9, 9]))  # the same numbers of another data set
    beyond = sets.add(np.array([10, 50]), np.array([1, 5]))
    first, *rest = sets.populations()
    assert list(first) == [whole, part]
    assert first[part].tolist() == [3, 1]
    assert [list(population) for population in rest] == [[other], [beyond]]
    assert sets.are_together(part, whole)
    assert not sets.are_together(other, whole)


def test_replicates_are_those_of_a_plain_loop() -> None:
    generator = np.random.default_rng(0)
    sets = ExampleSets()
    index, label = np.arange(40), np.zeros(40, dtype=np.int64)
    chosen = generator.permutation(40)[:15]
    numbers = [sets.add(index, label), sets.add(index[chosen], label[chosen])]
    numbers.append(sets.add(np.arange(25) + 100, label[:25]))
    evaluations = [
        [MeasuredSet(number, generator.random(size) < 0.6)
         for number, size in zip(numbers, (40, 15, 25), strict=True)]
        for _ in range(3)
    ]  # fmt: skip
    accuracy = draw(sets, evaluations)
    assert accuracy.shape == (3, 3, REPLICATES)
    for replicate in (0, 7, 499):
        own = resampling_weights(40, REPLICATES, 3)[replicate]
        other = resampling_weights(25, REPLICATES, 4)[replicate]
        for row, evaluation in enumerate(evaluations):
            for column, weights in enumerate((own, own[chosen], other)):
                drawn = np.repeat(evaluation[column].correct, weights.astype(int))
                assert accuracy[row, column, replicate] == pytest.approx(drawn.mean())


def test_populations_of_one_size_are_drawn_independently() -> None:
    sets = ExampleSets()
    label = np.zeros(200, dtype=np.int64)
    numbers = [sets.add(np.arange(200) + start, label) for start in (0, 1000)]
    correct = np.random.default_rng(0).random(200) < 0.5
    first, second = draw(sets, [[MeasuredSet(number, correct) for number in numbers]])[0]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.15
    assert first.std() == pytest.approx(np.sqrt(0.25 / 200), rel=0.15)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = ExampleSets()
    generator = np.random.default_rng(0)
    numbers = [sets.add(np.arange(n), np.zeros(n, dtype=np.int64)) for n in (30, 20)]
    evaluations = [
        [MeasuredSet(numbers[0], generator.random(30) < 0.5),
         MeasuredSet(numbers[1], generator.random(20) < 0.5)]
        for _ in range(7)
    ]  # fmt: skip
    whole = draw(sets, evaluations)
    monkeypatch.setattr(resampling, "_BLOCK", 2500)  # two evaluations, and some sets of each
    assert (draw(sets, evaluations) == whole).all()
    monkeypatch.setattr(resampling, "_BLOCK", 1)
    assert (draw(sets, evaluations) == whole).all()


def test_a_part_of_which_nothing_is_drawn_has_no_accuracy() -> None:
    sets = ExampleSets()
    label = np.zeros(3, dtype=np.int64)
    whole, part = sets.add(np.arange(3), label), sets.add(np.arange(1), label[:1])
    drawn = draw(
        sets, [[MeasuredSet(whole, np.ones(3, bool)), MeasuredSet(part, np.ones(1, bool))]]
    )
    missing = np.isnan(drawn[0, 1]).mean()
    assert missing == pytest.approx((2 / 3) ** 3, abs=0.1)
    assert (drawn[0, 1][~np.isnan(drawn[0, 1])] == 1).all()


def test_nothing_to_draw_gives_nothing() -> None:
    assert list(resampled_accuracies([], ExampleSets(), 10)) == []


@given(hnp.arrays(np.bool_, st.integers(1, 40)))
def test_what_never_varies_never_varies(correct: np.ndarray) -> None:
    sets = ExampleSets()
    number = sets.add(np.arange(len(correct)), np.zeros(len(correct), dtype=np.int64))
    (accuracy,) = resampled_accuracies([[MeasuredSet(number, correct)] * 2], sets, 20)
    assert (accuracy[0] == accuracy[1]).all()
    assert ((accuracy >= 0) & (accuracy <= 1)).all()
    if correct.all() or not correct.any():
        assert (accuracy == correct[0]).all()
