import numpy as np
import pytest

from robust_tuning.attacks import Outcomes


def test_a_curve_counts_whom_no_perturbation_within_the_radius_breaks() -> None:
    correct = np.array([True, True, True, False])
    outcomes = Outcomes(
        indices=np.arange(4),
        labels=np.zeros(4, dtype=np.int64),
        clean_correct=correct,
        robust={},
        steps={},
        diagnostics={},
        audits={},
        forward=0,
        backward=0,
        distance={"linf-0.1": np.array([0.1, 0.3, np.inf, np.inf])},
    )
    assert outcomes.curve("linf-0.1", [0, 0.1, 0.2, 0.3, 9]).tolist() == [
        0.75,
        0.5,
        0.5,
        0.25,
        0.25,
    ]
    with pytest.raises(KeyError):
        outcomes.curve("linf-0.2", [0])
