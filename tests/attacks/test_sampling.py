import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.attacks.sampling import random_sample


def test_a_sample_depends_on_the_examples_and_not_on_their_order() -> None:
    indices = np.arange(100, 200)
    order = np.random.default_rng(0).permutation(100)
    one = set(indices[random_sample(indices, 20, "x")])
    assert one == set(indices[order][random_sample(indices[order], 20, "x")])
    assert one != set(indices[random_sample(indices, 20, "y")])


@given(n=st.integers(0, 30), m=st.integers(0, 20))
def test_a_sample_has_no_repetitions_and_is_as_large_as_asked(n: int, m: int) -> None:
    places = random_sample(np.arange(m), n, "x")
    assert len(set(places)) == len(places) == min(n, m)
    assert list(places) == sorted(places)


def test_every_example_is_as_likely() -> None:
    counts = np.zeros(50)
    for trial in range(400):
        counts[random_sample(np.arange(50), 10, f"trial {trial}")] += 1
    # 400 draws of probability 1/5: mean 80, standard deviation 8.
    assert np.abs(counts - 80).max() < 35
