from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.data.listing import (
    Listing,
    files_below,
    held_out_of,
    missing_files,
    require_sizes,
    some_of,
)
from robust_tuning.errors import DataError


def listing(n: int = 20, classes: int = 2) -> Listing:
    return Listing(
        tuple(f"{i % classes}/{i:03d}.jpg" for i in range(n)),
        np.arange(n, dtype=np.int64) % classes,
        np.arange(n, dtype=np.int64) + 100,
    )


def test_what_is_taken_keeps_file_label_and_index_together() -> None:
    taken = listing().take(np.array([7, 2, 4]))
    assert taken.files == ("1/007.jpg", "0/002.jpg", "0/004.jpg")
    assert taken.labels.tolist() == [1, 0, 0]
    assert taken.indices.tolist() == [107, 102, 104]


def test_a_mask_takes_what_is_true() -> None:
    whole = listing(4)
    assert whole.take(np.array([False, True, True, False])).indices.tolist() == [101, 102]
    assert len(whole.take(np.array([], dtype=np.int64))) == 0


def test_joined_listings_keep_their_order() -> None:
    first, second = listing(4).take(np.array([3, 0])), listing(4).take(np.array([1]))
    joined = Listing.join([first, second])
    assert joined.files == ("1/003.jpg", "0/000.jpg", "1/001.jpg")
    assert joined.labels.tolist() == [1, 0, 1]
    assert joined.indices.tolist() == [103, 100, 101]


def test_skipped_files_are_left_out_and_unknown_ones_do_no_harm() -> None:
    left = listing(4).without({"1/001.jpg", "nowhere.jpg"})
    assert left.indices.tolist() == [100, 102, 103]


def test_the_held_out_part_is_stratified_and_in_order() -> None:
    held_out, rest = listing(40).hold_out(0.25)
    assert np.bincount(held_out.labels).tolist() == [5, 5]
    assert list(held_out.indices) == sorted(held_out.indices)
    assert list(rest.indices) == sorted(rest.indices)
    assert sorted([*held_out.indices, *rest.indices]) == list(range(100, 140))


def test_the_held_out_part_depends_on_names_and_not_on_the_listing_order() -> None:
    whole = listing(40)
    shuffled = whole.take(np.random.default_rng(0).permutation(40))
    assert set(whole.hold_out(0.25)[0].files) == set(shuffled.hold_out(0.25)[0].files)


def test_another_purpose_holds_out_others() -> None:
    whole = listing(200)
    one, other = (set(whole.hold_out(0.2, purpose)[0].files) for purpose in ("split", "test"))
    assert len(one & other) < 20


@given(size=st.integers(2, 10_000), fraction=st.floats(0.001, 0.999))
def test_neither_part_is_empty(size: int, fraction: float) -> None:
    held_out = held_out_of(size, fraction)
    assert 1 <= held_out <= size - 1
    assert abs(held_out - fraction * size) <= 1


def test_files_are_listed_by_their_path_below_the_folder(tmp_path: Path) -> None:
    for name in ("b/2.JPG", "b/1.txt", "a/deep/x.jpeg", "top.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert files_below(tmp_path) == ["a/deep/x.jpeg", "b/1.txt", "b/2.JPG", "top.jpg"]
    assert files_below(tmp_path, {".jpg", ".jpeg"}) == ["a/deep/x.jpeg", "b/2.JPG", "top.jpg"]
    assert files_below(tmp_path / "nothing") == []


def test_missing_files_are_found_in_folders_that_exist_or_not(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    (tmp_path / "list.txt").touch()
    wanted = ["a/1.jpg", "a/2.jpg", "b/1.jpg", "list.txt", "other.txt"]
    assert missing_files(tmp_path, wanted) == ["a/2.jpg", "b/1.jpg", "other.txt"]


def test_a_list_of_another_length_is_refused_with_all_that_differ() -> None:
    require_sizes("birds", {"train": 3, "test": 2, "more": 9}, {"train": 3, "test": 2})
    with pytest.raises(DataError, match="birds: train lists 3 images, expected 4; test lists 0"):
        require_sizes("birds", {"train": 3}, {"train": 4, "test": 2})


def test_a_few_of_few_names_are_all() -> None:
    assert some_of({"b", "a"}) == "a, b"
