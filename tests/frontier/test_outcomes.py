from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robust_tuning.errors import DataError
from robust_tuning.frontier import Estimate, ExampleOutcomes, FrontierPoint, ShiftOutcomes
from robust_tuning.frontier.outcomes import outcomes_path
from tests.frontier.synthetic import make_point


def make_outcomes(
    n: int = 13,
    threats: Sequence[str] = ("linf-1/255", "l2-0.5"),
    shifts: Sequence[tuple[str, int]] = (("fog-1", 5), ("ø-2", 0), ("x", 9)),
) -> ExampleOutcomes:
    generator = np.random.default_rng(0)
    clean = generator.random(n) < 0.7
    return ExampleOutcomes(
        index=generator.permutation(n * 3)[:n],
        label=generator.integers(10, size=n),
        clean_correct=clean,
        robust={threat: clean & (generator.random(n) < 0.5) for threat in threats},
        shifts={
            name: ShiftOutcomes(
                generator.permutation(m), generator.integers(10, size=m), generator.random(m) < 0.5
            )
            for name, m in shifts
        },
    )


def assert_equal(left: ExampleOutcomes, right: ExampleOutcomes) -> None:
    for name in ("index", "label", "clean_correct"):
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name), strict=True)
    assert list(left.robust) == list(right.robust)
    for threat in left.robust:
        np.testing.assert_array_equal(left.robust[threat], right.robust[threat], strict=True)
    assert list(left.shifts) == list(right.shifts)
    for shift in left.shifts:
        for name in ("index", "label", "correct"):
            one, other = getattr(left.shifts[shift], name), getattr(right.shifts[shift], name)
            np.testing.assert_array_equal(one, other, strict=True)


@settings(max_examples=30)
@given(
    n=st.integers(0, 40),
    threats=st.lists(
        st.text(st.characters(blacklist_characters="\0", codec="utf-8"), min_size=1),
        unique=True,
        max_size=3,
    ),
    sizes=st.lists(st.integers(0, 20), max_size=4),
)
def test_a_file_gives_the_outcomes_back(
    tmp_path_factory: pytest.TempPathFactory, n: int, threats: Sequence[str], sizes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("outcomes") / "deep" / "file.npz"
    outcomes = make_outcomes(n, threats, [(f"shift-{i}", m) for i, m in enumerate(sizes)])
    outcomes.write(path)
    assert_equal(ExampleOutcomes.read(path), outcomes)
    assert ExampleOutcomes.read(path, shifts=False).shifts == {}


def test_the_layout_is_the_documented_one(tmp_path: Path) -> None:
    outcomes = make_outcomes()
    outcomes.write(tmp_path / "file.npz")
    with np.load(tmp_path / "file.npz", allow_pickle=False) as arrays:
        assert arrays["index"].dtype == arrays["label"].dtype == np.int64
        assert arrays["clean_correct"].shape == (2,)
        assert arrays["robust"].shape == (2, 2)
        assert arrays["threats"].tolist() == ["linf-1/255", "l2-0.5"]
        assert arrays["shift_offset"].tolist() == [0, 5, 5, 14]
        np.testing.assert_array_equal(arrays["shift_index"][5:], outcomes.shifts["x"].index)


def test_the_name_tells_step_and_split(tmp_path: Path) -> None:
    assert outcomes_path(tmp_path, 50) == tmp_path / "outcomes" / "step-00000050.npz"
    assert outcomes_path(tmp_path, 50, "test") == tmp_path / "outcomes" / "step-00000050-test.npz"


def test_a_file_cut_anywhere_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    make_outcomes().write(path)
    whole = path.read_bytes()
    for size in range(0, len(whole), 37):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match="is damaged"):
            ExampleOutcomes.read(path)


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file.npz"
    outcomes = make_outcomes()
    outcomes.write(path)
    whole = bytearray(path.read_bytes())
    position = whole.index(outcomes.index.astype(np.int64).tobytes())
    whole[position] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DataError, match="is damaged"):
        ExampleOutcomes.read(path)


def test_arrays_of_unequal_length_are_refused() -> None:
    five, six = np.arange(5), np.arange(6)
    with pytest.raises(DataError, match=r"label has shape \(6,\): expected \(5,\)"):
        ExampleOutcomes(five, six, five > 2)
    with pytest.raises(DataError, match=r"robust\['l2-1'\]"):
        ExampleOutcomes(five, five, five > 2, {"l2-1": six > 2})
    with pytest.raises(DataError, match="correct"):
        ShiftOutcomes(five, five, six > 2)


def test_outcomes_agree_with_their_own_point_alone() -> None:
    outcomes = make_outcomes(n=20)
    counts = {threat: int(bits.sum()) for threat, bits in outcomes.robust.items()}
    clean = int(outcomes.clean_correct.sum())

    def point(clean: int = clean, n: int = 20, **changes: int) -> FrontierPoint:
        robust = {k: Estimate.of(v, n) for k, v in {**counts, **changes}.items()}
        return make_point(accuracy=Estimate.of(clean, n), robust_accuracy=robust)

    assert outcomes.agrees_with(point())
    assert not outcomes.agrees_with(point(clean=clean - 1))
    assert not outcomes.agrees_with(point(n=21))
    assert not outcomes.agrees_with(point(**{"l2-0.5": counts["l2-0.5"] + 1}))
    assert not outcomes.agrees_with(point(**{"l1-3": 4}))
