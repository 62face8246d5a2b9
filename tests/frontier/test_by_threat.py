from robust_tuning.frontier import Estimate, dominated_area
from robust_tuning.frontier.by_threat import areas, by_threat
from tests.frontier.test_point import make_point

SMALL, LARGE = "linf-1/255", "linf-2/255"


def test_a_point_counts_under_the_threats_that_it_was_attacked_with() -> None:
    first = make_point(accuracy=Estimate.of(10, 20), robust_accuracy={SMALL: Estimate.of(5, 20)})
    second = make_point(
        accuracy=Estimate.of(20, 20),
        robust_accuracy={SMALL: Estimate.of(2, 20), LARGE: Estimate.of(1, 20)},
    )
    assert by_threat([first, second]) == {SMALL: [first, second], LARGE: [second]}
    assert areas([first, second]) == {
        SMALL: dominated_area([0.5, 1.0], [0.25, 0.1]),
        LARGE: dominated_area([1.0], [0.05]),
    }
