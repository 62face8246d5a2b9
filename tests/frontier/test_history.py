from robust_tuning.frontier.history import KEYS, to_lines, to_row
from tests.frontier.synthetic import make_point


def test_a_run_that_changed_its_file_is_read_as_it_is_in_the_end() -> None:
    first, second, third = (make_point(step=step) for step in (0, 50, 100))
    moved = make_point(step=50, ood_accuracy={})
    again = make_point(step=75)
    rows = [
        to_row([first], 0),
        to_row([first, second], 1),
        to_row([first, second, third], 2),
        to_row([first, moved, third], 1),  # more was measured of an earlier state
        to_row([first, again], 1),  # resumed from step 0
    ]
    assert all(set(row) == set(KEYS) for row in rows)
    assert to_lines(rows[:3]) == [p.to_json() for p in (first, second, third)]
    assert to_lines(rows[:4]) == [p.to_json() for p in (first, moved, third)]
    assert to_lines(rows) == [p.to_json() for p in (first, again)]
    assert to_lines([]) == []


def test_numbers_may_come_back_as_floats_and_more_beside_them() -> None:
    row = to_row([make_point()], 0)
    back = {name: float(v) if isinstance(v, int) else v for name, v in row.items()}
    assert to_lines([{**back, "_step": 3}]) == [make_point().to_json()]
