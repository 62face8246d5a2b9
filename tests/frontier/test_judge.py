from pathlib import Path

import numpy as np
import pytest

from robust_tuning.frontier import Estimate, ExampleOutcomes, append_point, find_runs
from robust_tuning.frontier.comparison import AreaSettings, Comparison, compare
from robust_tuning.frontier.judge import judge, judge_all
from robust_tuning.frontier.outcomes import outcomes_path
from robust_tuning.frontier.scalars import AREA
from robust_tuning.frontier.verdict import Verdict
from tests.frontier.synthetic import make_point, write_run, write_sweep

SETTINGS = AreaSettings(replicates=300)
THREAT = "linf-1/255"


def write_coins(folder: Path, strategy: str, robust: np.ndarray, **changes: object) -> None:
    """A run of one point whose clean accuracy is 1, so that its area is its robust accuracy."""
    n = len(robust)
    values = {"strategy": strategy, "run": folder.name, "accuracy": Estimate.of(n, n), **changes}
    estimate = Estimate.of(int(robust.sum()), n)
    append_point(folder, make_point(robust_accuracy={THREAT: estimate}, **values))
    index = np.arange(n)
    outcomes = ExampleOutcomes(index, index, np.ones(n, dtype=bool), {THREAT: robust})
    outcomes.write(outcomes_path(folder, 50))


def judged(folder: Path, settings: AreaSettings = SETTINGS) -> tuple[Comparison, Verdict]:
    (comparison,) = compare(find_runs([folder]), settings)
    return comparison, judge(comparison, comparison.panels[0])


def test_a_clear_winner_is_recommended_and_grouped_alone(tmp_path: Path) -> None:
    places = np.arange(1000)
    for name, count in (("A", 500), ("B", 300), ("C", 299)):
        write_coins(tmp_path / name, name, places < count)
    _, verdict = judged(tmp_path)
    assert verdict.sentence.startswith("Take A: its area 0.500 [")
    # 500 above the mean of 500, 300 and 299.
    assert "36.5 % above the average of the strategies, winner included" in verdict.sentence
    assert "the closest is B by 0.200 [" in verdict.sentence
    assert "(95 % interval, corrected for 3 comparisons); that holds for the" in verdict.sentence
    assert verdict.groups == (("A",), ("B", "C"))
    called = {(one.first, one.second): one.called for one in verdict.differences}
    assert called == {("A", "B"): True, ("A", "C"): True, ("B", "C"): False}
    assert verdict.scalars["B"][0].key == AREA
    assert set(verdict.definitions) == {
        one.key for some in verdict.scalars.values() for one in some
    }


def test_the_interval_of_a_pair_is_that_of_paired_proportions(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 2000)) < [[0.5], [0.45]]
    write_coins(tmp_path / "A", "A", first)
    write_coins(tmp_path / "B", "B", second)
    _, verdict = judged(tmp_path, AreaSettings(replicates=5000))
    (one,) = verdict.differences
    error = (first.astype(float) - second).std() / 2000**0.5
    assert one.value == pytest.approx(first.mean() - second.mean())
    assert one.interval == pytest.approx(
        (one.value - 1.96 * error, one.value + 1.96 * error), abs=2e-3
    )


def test_what_cannot_be_told_comes_with_the_examples_that_would(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    both = generator.random(400) < 0.5
    other = both.copy()
    other[:60] = ~other[:60]
    first, second = sorted((both, other), key=lambda bits: -bits.sum())
    write_coins(tmp_path / "A", "A", first)
    write_coins(tmp_path / "B", "B", second)
    _, verdict = judged(tmp_path, AreaSettings(replicates=4000))
    assert verdict.sentence.startswith("The data cannot tell A from B: A has the largest area ")
    assert verdict.groups == (("A", "B"),)
    difference = first.astype(float) - second
    wanted = ((1.96 + 0.8416) * difference.std() / difference.mean()) ** 2 - 400
    said = float(verdict.sentence.split("about ")[1].split(" examples")[0].replace(",", ""))
    assert said == pytest.approx(wanted, rel=0.12)


def test_equal_strategies_are_told_from_one_another_less_often_than_asked(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    hits, rounds = 0, 40
    for turn in range(rounds):
        for name in "ABCDEFG":
            write_coins(tmp_path / f"{turn}" / name, name, generator.random(100) < 0.3)
        _, verdict = judged(tmp_path / f"{turn}", AreaSettings(replicates=200, confidence=0.9))
        hits += any(one.called for one in verdict.differences)
    # 10 % of the rounds at most; uncorrected intervals would call some pair in more than half.
    assert hits <= 10


def test_seeds_widen_intervals_and_are_asked_for(tmp_path: Path) -> None:
    places = np.arange(1000)
    for seed, counts in enumerate([(520, 420), (440, 300), (300, 460)]):
        for name, count in zip("AB", counts, strict=True):
            write_coins(tmp_path / f"{name}{seed}", name, places < count, seed=seed)
    _, verdict = judged(tmp_path)
    (one,) = verdict.differences
    assert one.value == pytest.approx(0.06)
    assert one.interval[1] - one.interval[0] > 0.1
    assert "train more seeds" in verdict.sentence
    notes = " ".join(verdict.notes)
    assert "intervals cover examples and seeds (3 a setting) of all; from so few seeds" in notes


def test_a_winner_over_seeds_is_recommended_without_reserve(tmp_path: Path) -> None:
    places = np.arange(1000)
    for seed, counts in enumerate([(520, 320), (515, 310), (525, 315)]):
        for name, count in zip("AB", counts, strict=True):
            write_coins(tmp_path / f"{name}{seed}", name, places < count, seed=seed)
    _, verdict = judged(tmp_path)
    assert verdict.sentence.startswith("Take A: ")
    assert verdict.sentence.endswith("(95 % interval, corrected for 1 comparison).")


def test_one_strategy_has_nothing_beside_it(tmp_path: Path) -> None:
    write_run(tmp_path / "a", steps=(0, 400), examples=100)
    _, verdict = judged(tmp_path)
    assert "LoRA alone was measured, area 0." in verdict.sentence
    assert verdict.differences == ()
    assert verdict.groups == (("LoRA",),)


@pytest.mark.parametrize(
    ("settings", "examples", "outcomes", "words"),
    [
        (SETTINGS, 100, False, "no interval of the area: "),
        (AreaSettings(replicates=0), 100, True, "no replicates were asked for"),
        (SETTINGS, 19, True, "not compared, 19 examples, expected 20 or more"),
    ],
)
def test_without_intervals_nothing_is_told(
    tmp_path: Path, settings: AreaSettings, examples: int, outcomes: bool, words: str
) -> None:
    for strategy in ("LoRA", "BitFit"):
        write_run(
            tmp_path / strategy,
            strategy,
            steps=(0, 400),
            examples=examples,
            with_outcomes=outcomes,
        )
    _, verdict = judged(tmp_path, settings)
    assert verdict.sentence.startswith("The data cannot tell which is best: BitFit has the largest")
    assert verdict.differences == ()
    assert verdict.groups == (("BitFit", "LoRA"),)
    assert any(words in note for note in verdict.notes)


def test_there_is_a_verdict_on_every_panel(tmp_path: Path) -> None:
    write_sweep(tmp_path, seeds=1, steps=(0, 400), examples=100)
    comparisons = compare(find_runs([tmp_path]), AreaSettings(replicates=50))
    ((one, two, three),) = judge_all(comparisons)
    for verdict in (one, two, three):
        assert len(verdict.differences) == 21
        assert len(verdict.scalars) == 7
        assert "intervals do not cover seeds of any" in " ".join(verdict.notes)
    assert len({verdict.sentence for verdict in (one, two, three)}) == 3
