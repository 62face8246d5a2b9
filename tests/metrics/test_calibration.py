import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robust_tuning.errors import DataError
from robust_tuning.metrics import calibration_error
from robust_tuning.metrics.calibration import _resampled


def by_definition(confidence: np.ndarray, correct: np.ndarray, bins: int) -> float:
    """The sum over bins, one example at a time."""
    members: dict[int, list[int]] = {}
    for i, c in enumerate(confidence.astype(np.float64)):
        members.setdefault(min(int(c * bins), bins), []).append(i)
    gaps = (abs(np.mean(correct[m]) - np.mean(confidence[m])) * len(m) for m in members.values())
    return float(sum(gaps) / len(confidence))


def test_a_model_that_is_right_nine_times_in_ten_and_says_so() -> None:
    confidence = np.full(10, 0.9, dtype=np.float32)
    correct = np.arange(10) > 0
    error = calibration_error(confidence, correct)
    assert error.value == pytest.approx(0, abs=1e-6)
    assert error.n == 10
    sure = calibration_error(np.full(10, 1.0, dtype=np.float32), correct)
    assert sure.value == pytest.approx(0.1)
    assert 0 <= sure.low <= sure.value <= sure.high <= 1


@given(
    arrays(np.float32, st.integers(1, 40), elements=st.floats(0, 0.9990234375, width=32)),
    st.integers(0, 2**32 - 1),
)
def test_the_error_is_that_of_the_definition(confidence: np.ndarray, seed: int) -> None:
    correct = np.random.default_rng(seed).random(len(confidence)) < confidence
    # 16 bins: their ends are binary fractions, on which no two ways of rounding differ.
    error = calibration_error(confidence, correct, bins=16, replicates=2)
    assert error.value == pytest.approx(by_definition(confidence, correct, 16), abs=1e-5)
    assert 0 <= error.low <= error.value <= error.high <= 1


def test_replicates_scatter_around_the_error_of_their_bins() -> None:
    random = np.random.default_rng(1)
    confidence = random.uniform(0.3, 1, 4000).astype(np.float32)
    correct = random.random(4000) < confidence - 0.2
    error = calibration_error(confidence, correct)
    samples = _resampled(confidence, correct, 15, 200)
    assert error.value == pytest.approx(0.2, abs=0.02)
    assert samples.mean() == pytest.approx(error.value, abs=0.004)
    # Of 4,000 independent examples the mean gap has this standard error.
    assert samples.std() == pytest.approx(np.std(correct - confidence) / np.sqrt(4000), rel=0.2)
    assert error.low < 0.2 < error.high


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(DataError, match="0 confidences"):
        calibration_error(np.empty(0, dtype=np.float32), np.empty(0, dtype=bool))
    with pytest.raises(DataError, match=r"in \[0, 1\]"):
        calibration_error(np.array([1.5, np.nan], dtype=np.float32), np.array([True, False]))
