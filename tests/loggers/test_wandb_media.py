import numpy as np
import pytest

from robust_tuning.frontier import Estimate
from robust_tuning.loggers.wandb_media import media, pictures, points_table, side_by_side, thinned
from tests.frontier.synthetic import make_point
from tests.frontier.test_examples import make_examples


def test_the_table_has_a_row_for_each_point_and_gaps_where_nothing_was_measured() -> None:
    clean = make_point(step=0, robust_accuracy={}, attack=None, ood_accuracy={})
    table = points_table([clean, make_point(step=50, accuracy=Estimate.of(9, 10))])
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.data]
    assert [row["step"] for row in rows] == [0, 50]
    estimate = Estimate.of(3, 10)
    assert rows[1]["robust linf-1/255"] == estimate.value
    assert (rows[1]["robust linf-1/255 low"], rows[1]["robust linf-1/255 high"]) == (
        estimate.low,
        estimate.high,
    )
    assert (rows[1]["accuracy"], rows[1]["n"], rows[0]["robust linf-1/255"]) == (0.9, 10, None)


def test_at_most_so_many_rows_are_sent_first_and_last_among_them() -> None:
    points = [make_point(step=step) for step in range(1001)]
    assert [point.step for point in thinned(points, 5)] == [0, 250, 500, 750, 1000]
    assert thinned(points[:5], 5) == points[:5]
    assert len(media(points, {})["frontier/points"].data) == 500


def test_there_is_a_chart_for_each_threat_of_the_points_that_have_it() -> None:
    both = {"linf-1/255": Estimate.of(3, 10), "linf-2/255": Estimate.of(1, 10)}
    found = media([make_point(step=0), make_point(step=50, robust_accuracy=both)], {})
    assert set(found) == {
        "frontier/points",
        "frontier/chart/linf-1/255",
        "frontier/chart/linf-2/255",
    }
    chart = found["frontier/chart/linf-2/255"]
    assert chart.spec.fields == {"x": "accuracy", "y": "robust accuracy"}
    assert chart.table.data == [[0.8, 0.1, 50, "validation"]]


def test_a_picture_is_the_image_the_perturbation_around_grey_and_their_sum() -> None:
    clean = np.full((3, 2, 2), 100, dtype=np.uint8)
    perturbation = np.zeros((3, 2, 2), dtype=np.float16)
    perturbation[0, 1, 0], perturbation[2, 0, 1] = 4 / 255, -2 / 255
    image, scale = side_by_side(clean, perturbation)
    assert scale == pytest.approx(255 / 8, rel=1e-3)
    assert image.shape == (2, 6, 3)
    assert (image[:, :2] == 100).all()
    assert image[1, 2].tolist() == [255, 128, 128]  # red, all of it
    assert image[0, 3].tolist() == [128, 128, 64]
    assert image[1, 4].tolist() == [104, 100, 100]
    assert image[0, 5].tolist() == [100, 100, 98]
    assert side_by_side(clean, 0 * perturbation)[1] == 1


def test_captions_say_what_is_seen() -> None:
    first, second = pictures(make_examples())
    assert first._caption.startswith("validation 7, cat: taken for cat | perturbation x ")
    assert first._caption.endswith("taken for dog")
    assert second._caption.endswith("taken for größe")
