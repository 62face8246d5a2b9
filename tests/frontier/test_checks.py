from dataclasses import replace
from pathlib import Path

import pytest

from robust_tuning.frontier import AttackIdentity, Estimate, FrontierPoint, append_point, find_runs
from robust_tuning.frontier.checks import objections
from robust_tuning.frontier.comparison import AreaSettings, compare
from tests.frontier.synthetic import make_point

SMALL, LARGE = "linf-1/255", "linf-4/255"
AUTO = AttackIdentity("robust_tuning.attacks.AutoAttack", {}, "a0a0a0a0")


def point(robust: dict[str, int], **changes: object) -> FrontierPoint:
    estimates = {threat: Estimate.of(count, 100) for threat, count in robust.items()}
    values = {"accuracy": Estimate.of(80, 100), "robust_accuracy": estimates, **changes}
    return make_point(**values)


def warnings_on(folder: Path, threat: str) -> list[str]:
    comparisons = compare(find_runs([folder]), AreaSettings(replicates=0))
    (panel,) = (one for one in comparisons[0].panels if one.threat == threat)
    return list(objections(comparisons[0], panel, comparisons))


def test_a_sound_run_of_several_seeds_has_no_warning(tmp_path: Path) -> None:
    for seed in (0, 1):
        signs = {LARGE: {"attacked": 100, "zero_gradients": 5}}
        good = point({SMALL: 50, LARGE: 50}, seed=seed, diagnostics=signs)
        append_point(tmp_path / f"{seed}", good)
    assert warnings_on(tmp_path, LARGE) == []
    assert warnings_on(tmp_path, SMALL) == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (point({LARGE: 81}), "robust accuracy is above clean accuracy in run bad at step 50"),
        (point({SMALL: 40, LARGE: 43}), "rises with eps in run bad at step 50, by up to 3.0"),
        (
            point({LARGE: 40}, diagnostics={LARGE: {"attacked": 50, "zero_gradients": 6}}),
            "up to 12 % of the attacked examples had no gradient but zero in run bad",
        ),
        (
            point({LARGE: 40}, diagnostics={LARGE: {"attacked": 50, "bad_gradients": 1}}),
            "up to 2 % of the attacked examples had a gradient that is not finite",
        ),
        (
            point({LARGE: 40}, diagnostics={LARGE: {"attacked": 50, "random_model": 1}}),
            "the model answered at random in run bad at step 50",
        ),
    ],
)
def test_a_bad_point_is_named(tmp_path: Path, bad: FrontierPoint, words: str) -> None:
    append_point(tmp_path / "bad", bad)
    append_point(tmp_path / "good", point({SMALL: 50, LARGE: 30}, seed=1))
    (warning,) = warnings_on(tmp_path, LARGE)
    assert words in warning


@pytest.mark.parametrize(("left", "warned"), [(44, True), (46, False)])
def test_an_attack_far_above_another_on_the_same_state_is_told(
    tmp_path: Path, left: int, warned: bool
) -> None:
    for seed in (0, 1):
        append_point(tmp_path / f"{seed}", point({LARGE: 50}, seed=seed))
    stronger = point({LARGE: left}, attack=AUTO)
    append_point(tmp_path / "0" / "evaluations" / "x", stronger)
    # Another state says nothing about these.
    append_point(tmp_path / "1" / "evaluations" / "x", replace(stronger, step=70, seed=1))
    found = warnings_on(tmp_path, LARGE)
    assert len(found) == warned
    if warned:
        assert "AutoAttack() #a0a0a0a0 leaves up to 6.0 points less than PGD" in found[0]
        assert "in run 0 at step 50" in found[0]


def test_selection_on_the_test_split_is_told(tmp_path: Path) -> None:
    for seed in (0, 1):
        append_point(tmp_path / f"{seed}", point({LARGE: 50}, seed=seed, split="test"))
    assert warnings_on(tmp_path, LARGE) == []
    append_point(tmp_path / "0", point({LARGE: 40}, step=90, split="test"))
    assert "the test split was read at several steps" in warnings_on(tmp_path, LARGE)[0]


def test_a_single_seed_is_told(tmp_path: Path) -> None:
    for name, strategy, seed in (("a", "LoRA", 0), ("b", "LoRA", 1), ("c", "IA3", 0)):
        append_point(tmp_path / name, point({LARGE: 50}, strategy=strategy, seed=seed))
    (warning,) = warnings_on(tmp_path, LARGE)
    assert warning.startswith("a single seed for IA3: ")
