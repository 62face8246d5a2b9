import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.frontier import Estimate, FrontierPoint, wilson
from robust_tuning.frontier.shift_layout import ShiftLayout
from robust_tuning.frontier.shift_measures import (
    corruption_error,
    derived_values,
    images,
    macro_mean,
    mean_calibration,
    measure_point,
    worst_group,
)
from robust_tuning.frontier.statistics import basic_interval
from tests.frontier.synthetic import make_point

TWO_BY_TWO = ShiftLayout.of("corruptions", ["fog-1", "fog-2", "snow-1", "snow-2"])
DOMAINS = ShiftLayout.of("domain", ["domain-a", "domain-b"])


def point_with(successes: dict[str, tuple[int, int]], clean: int = 90) -> FrontierPoint:
    ood = {key: Estimate.of(*counts) for key, counts in successes.items()}
    return make_point(accuracy=Estimate.of(clean, 100), ood_accuracy=ood)


def test_every_mean_by_hand() -> None:
    values = derived_values(
        TWO_BY_TWO, np.array([0.8, 0.6, 0.5, 0.1]), np.array(0.9), [100, 100, 100, 300]
    )
    expected = {
        "group/fog": 0.7,
        "group/snow": 0.3,
        "severity/1": 0.65,
        "severity/2": 0.35,
        "mean": 0.5,
        "pooled": (80 + 60 + 50 + 30) / 600,
        "worst": 0.3,
        "error": 0.5,
        "excess_error": 0.4,
    }
    assert values.keys() == expected.keys()
    for name, value in expected.items():
        assert values[name] == pytest.approx(value), name


def test_a_corruption_counts_once_however_many_severities_it_has() -> None:
    layout = ShiftLayout.of("corruptions", ["fog-1", "fog-2", "fog-3", "snow-1"])
    assert macro_mean(layout, np.array([0.9, 0.9, 0.9, 0.1])) == pytest.approx(0.5)


def test_corruption_errors_by_hand() -> None:
    # Hendrycks and Dietterich: severities are summed before the ratio, corruptions averaged after.
    accuracy, reference = np.array([0.8, 0.6, 0.5, 0.1]), np.array([0.5, 0.3, 0.2, 0.4])
    fog, snow = (0.2 + 0.4) / (0.5 + 0.7), (0.5 + 0.9) / (0.8 + 0.6)
    assert corruption_error(TWO_BY_TWO, accuracy, reference) == pytest.approx((fog + snow) / 2)
    fog, snow = (0.1 + 0.3) / (0.2 + 0.4), (0.4 + 0.8) / (0.5 + 0.3)
    relative = corruption_error(
        TWO_BY_TWO, accuracy, reference, clean=np.array(0.9), reference_clean=np.array(0.7)
    )
    assert relative == pytest.approx((fog + snow) / 2)


def test_a_reference_without_error_or_loss_has_no_corruption_error() -> None:
    some, perfect = np.array([0.8, 0.6, 0.5, 0.1]), np.array([1.0, 1.0, 0.5, 0.5])
    assert np.isnan(corruption_error(TWO_BY_TWO, some, perfect))
    level = np.array([0.7, 0.7, 0.3, 0.3])
    found = corruption_error(
        TWO_BY_TWO, some, level, clean=np.array(0.9), reference_clean=np.array(0.7)
    )
    assert np.isnan(found)
    point = point_with(dict.fromkeys(TWO_BY_TWO.keys, (50, 100)))
    unit = point_with(dict.fromkeys(TWO_BY_TWO.keys, (100, 100)))
    assert not {"mce", "relative_mce"} & measure_point(TWO_BY_TWO, point, reference=unit).keys()


@given(st.lists(st.integers(0, 99), min_size=4, max_size=4), st.integers(0, 100))
def test_a_model_is_its_own_unit(counts: list[int], clean: int) -> None:
    successes = {key: (count, 100) for key, count in zip(TWO_BY_TWO.keys, counts, strict=True)}
    point = point_with(successes, clean)
    measures = measure_point(TWO_BY_TWO, point, reference=point)
    assert measures["mce"].value == pytest.approx(1)
    values = [measures[f"group/{name}"].value for name in TWO_BY_TWO.groups]
    assert measures["worst"].value == pytest.approx(min(values))
    assert measures[f"group/{worst_group(TWO_BY_TWO, measures)}"].value == pytest.approx(
        min(values)
    )
    assert measures["error"].value - measures["excess_error"].value == pytest.approx(
        1 - clean / 100
    )


def test_replicates_are_measured_as_the_point_is() -> None:
    generator = np.random.default_rng(0)
    accuracy, clean = generator.random((7, 4)), generator.random(7)
    unit = generator.random((7, 4)) / 2, generator.random(7) / 4 + 0.75
    together = derived_values(TWO_BY_TWO, accuracy, clean, [1, 2, 3, 4], unit)
    for row in range(7):
        other = unit[0][row], unit[1][row]
        alone = derived_values(TWO_BY_TWO, accuracy[row], clean[row], [1, 2, 3, 4], other)
        for name, value in alone.items():
            assert together[name][row] == pytest.approx(value, nan_ok=True), name


def test_intervals_are_bootstrapped_for_means_and_wilsons_for_proportions() -> None:
    generator = np.random.default_rng(0)
    point = point_with({"domain-a": (30, 50), "domain-b": (90, 150)})
    samples = generator.normal(0.6, 0.03, (400, 2)), generator.normal(0.9, 0.02, 400)
    found = measure_point(DOMAINS, point, samples=samples, confidence=0.9)
    assert found["group/a"].interval == wilson(30, 50, 0.9)
    assert found["pooled"].interval == wilson(120, 200, 0.9)
    mean = basic_interval(0.6, samples[0].mean(axis=1), 0.9)
    assert found["mean"].interval == pytest.approx(mean)
    excess = basic_interval(0.3, samples[1] - samples[0].mean(axis=1), 0.9)
    assert found["excess_error"].interval == pytest.approx(excess)
    assert found["mean"].n == 200


def test_severities_share_their_images_so_nothing_pooled_is_a_proportion() -> None:
    point = point_with(dict.fromkeys(TWO_BY_TWO.keys, (50, 100)))
    found = measure_point(TWO_BY_TWO, point)
    assert found["pooled"].interval is None
    assert found["group/fog"].interval is None
    assert images(TWO_BY_TWO, point) == found["mean"].n == 100


def test_one_set_alone_is_a_proportion_by_every_name() -> None:
    layout = ShiftLayout.of("corruptions", ["fog-3"])
    found = measure_point(layout, point_with({"fog-3": (50, 100)}))
    for name in ("group/fog", "severity/3", "mean", "pooled", "worst"):
        assert found[name].interval == wilson(50, 100), name


def test_a_reference_of_unknown_examples_leaves_mce_without_interval() -> None:
    point = point_with(dict.fromkeys(TWO_BY_TWO.keys, (50, 100)))
    samples = np.full((20, 4), 0.5), np.full(20, 0.9)
    found = measure_point(TWO_BY_TWO, point, reference=point, samples=samples)
    assert found["mce"].interval is None
    assert found["mean"].interval is not None


def test_calibration_is_averaged_over_all_sets_or_not_at_all() -> None:
    point = point_with({"domain-a": (30, 50), "domain-b": (90, 150)})
    errors = {"domain-a": Estimate(0.1, 50, 0.05, 0.2), "domain-b": Estimate(0.3, 150, 0.25, 0.4)}
    some = make_point(ood_accuracy=point.ood_accuracy, calibration=errors)
    found = mean_calibration(DOMAINS, some)
    assert found is not None
    assert (found.value, found.n) == (pytest.approx(0.2), 200)
    assert found.interval == pytest.approx((0.15, 0.3))
    del errors["domain-b"]
    assert mean_calibration(DOMAINS, some) is None
