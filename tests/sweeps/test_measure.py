from pathlib import Path

import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import Estimate, append_point, dominated_area
from robust_tuning.sweeps.measure import best_compromise, check_metric, history
from tests.frontier.test_point import make_point

SMALL, LARGE = "linf-1/255", "linf-2/255"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Three points of training and one of a later test; a fourth is being written."""
    for accuracy, small, large in ((4, 3, 2), (10, 8, 1), (20, 1, 0)):
        point = make_point(
            accuracy=Estimate.of(accuracy, 20),
            robust_accuracy={SMALL: Estimate.of(small, 20), LARGE: Estimate.of(large, 20)},
        )
        append_point(tmp_path, point)
    append_point(tmp_path, make_point(split="test", accuracy=Estimate.of(1, 20)))
    with (tmp_path / "frontier.jsonl").open("a") as file:
        file.write('{"schema": 1')
    rows = (
        "step,metric,value\n1,train/loss,0.5\n1,validation/accuracy,0.25\n2,train/loss,0.75\n2,tra"
    )
    (tmp_path / "metrics.csv").write_text(rows)
    return tmp_path


@pytest.mark.filterwarnings("error")
def test_what_a_run_has_reached(run: Path) -> None:
    assert history(run, "frontier/accuracy") == [0.2, 0.5, 1.0]
    assert history(run, f"frontier/robust_accuracy/{LARGE}") == [0.1, 0.05, 0.0]
    assert history(run, "train/loss") == [0.5, 0.75]
    assert history(run, "frontier/ood_accuracy/fog-9") == []


def test_an_area_is_that_of_all_points_so_far(run: Path) -> None:
    small = [dominated_area([0.2, 0.5, 1.0][:n], [0.15, 0.4, 0.05][:n]) for n in (1, 2, 3)]
    large = [dominated_area([0.2, 0.5, 1.0][:n], [0.1, 0.05, 0.0][:n]) for n in (1, 2, 3)]
    assert history(run, f"frontier/area/{SMALL}") == pytest.approx(small)
    assert history(run, "frontier/area") == pytest.approx(
        [(a + b) / 2 for a, b in zip(small, large, strict=True)]
    )


def test_two_objectives_are_of_one_point(run: Path) -> None:
    assert best_compromise(run, None) == pytest.approx((0.5, (0.4 + 0.05) / 2))
    assert best_compromise(run, f"frontier/robust_accuracy/{LARGE}") == (0.5, 0.05)
    assert best_compromise(run, "frontier/robust_accuracy/l2-1") is None


def test_nothing_is_there_yet(tmp_path: Path) -> None:
    assert history(tmp_path, "frontier/area") == history(tmp_path, "train/loss") == []
    assert best_compromise(tmp_path, None) is None


def test_metrics_that_no_run_logs() -> None:
    for name in ("frontier/area", f"frontier/area/{SMALL}", "validation/accuracy"):
        check_metric(name)
    with pytest.raises(ConfigurationError, match="did you mean frontier/accuracy"):
        check_metric("frontier/acuracy")
