import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.sweeps.early_stopping import Hyperband, read_hyperband


def test_bands_are_those_of_weights_and_biases() -> None:
    assert read_hyperband({"type": "hyperband", "min_iter": 3}).bands[:4] == (3, 9, 27, 81)
    assert read_hyperband({"type": "hyperband", "max_iter": 27, "s": 2}).bands == (3, 9)
    # Below one evaluation there is nothing to compare.
    read = read_hyperband({"type": "hyperband", "max_iter": 5, "eta": 2, "s": 4, "strict": True})
    assert read == Hyperband((1, 2), 2, strict=True)


# Five runs after two evaluations each, larger being better: half of them may go on.
RUNS = ([-10, -9], [-10, -10], [-10, -8, -8], [-10, -7, -7], [-10, -6, -6])


def test_who_lags_behind_is_stopped() -> None:
    stopped = [
        Hyperband((1, 2), 2).stops(run, [other for other in RUNS if other is not run])
        for run in RUNS
    ]
    assert stopped == [True, True, False, False, False]


def test_nobody_is_stopped_before_a_band_or_alone() -> None:
    assert not Hyperband((2,), 2).stops([0.0], [[1.0, 1.0], [1.0, 1.0]])
    assert not Hyperband((1,), 2).stops([0.0], [])


def test_only_the_strict_forget_what_was_better_later() -> None:
    others = [[0.5], [0.6], [0.7]]
    assert not Hyperband((1,), 3).stops([0.1, 0.9, 0.2], others)
    assert Hyperband((1,), 3, strict=True).stops([0.1, 0.9, 0.9], others)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("hyperband", "expected type: hyperband"),
        ({"type": "median"}, "expected type: hyperband"),
        ({"type": "hyperband"}, "min_iter: N"),
        ({"type": "hyperband", "min_iter": 0}, "min_iter: 0"),
        ({"type": "hyperband", "min_iter": 1, "eta": 1}, "eta: 1"),
        ({"type": "hyperband", "max_iter": 27}, "needs s:"),
        ({"type": "hyperband", "max_iter": 2, "s": 1}, "nothing can stop"),
        ({"type": "hyperband", "mini_ter": 1}, "did you mean min_iter"),
    ],
)
def test_what_is_wrong_is_named(entry: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=f"early_terminate: .*{said}"):
        read_hyperband(entry)
