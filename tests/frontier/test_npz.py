from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robust_tuning.frontier.npz import StoredArrays

KINDS = st.sampled_from([np.int64, np.uint8, np.float64, np.bool_, np.dtype("U7")])


def saved(**arrays: np.ndarray) -> bytes:
    file = BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


@given(
    st.dictionaries(
        st.sampled_from(["index", "ä", "a.npy", "shift_correct"]),
        KINDS.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0))),
    )
)
def test_arrays_are_those_of_numpy(arrays: dict[str, np.ndarray]) -> None:
    content = BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]  # names of arrays
    ours = StoredArrays(content.getvalue())
    with np.load(BytesIO(content.getvalue())) as theirs:
        assert len(ours) == len(arrays)
        assert set(ours) == set(theirs.files)
        for name in arrays:
            assert ours[name].dtype == theirs[name].dtype
            np.testing.assert_array_equal(ours[name], theirs[name])


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_found_or_changes_nothing(place: int, change: int) -> None:
    array = np.arange(40)
    content = bytearray(saved(a=array, b=array))
    content[place % len(content)] ^= change
    try:
        found = StoredArrays(bytes(content))
        read = {name: found[name] for name in ("a", "b")}
    except (ValueError, KeyError):
        return
    assert all((values == array).all() for values in read.values())


@given(st.integers(0, 700))
def test_a_part_of_a_file_is_no_file(length: int) -> None:
    content = saved(a=np.arange(40))
    with pytest.raises(ValueError, match=r"cut off|archive"):
        StoredArrays(content[: min(length, len(content) - 1)])["a"]


def test_what_it_cannot_read_is_refused() -> None:
    compressed = BytesIO()
    np.savez_compressed(compressed, a=np.zeros(9))
    with pytest.raises(ValueError, match="compressed"):
        StoredArrays(compressed.getvalue())
    with pytest.raises(ValueError, match="C order"):
        StoredArrays(saved(a=np.asfortranarray(np.ones((2, 3)))))["a"]
    with pytest.raises(ValueError, match="plain numbers"):
        StoredArrays(saved(a=np.array([None, 1], dtype=object)))["a"]
    with pytest.raises(KeyError):
        StoredArrays(saved(a=np.zeros(1)))["b"]
