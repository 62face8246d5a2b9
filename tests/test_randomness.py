import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from robust_tuning.randomness import signs, uniform, words

WORDS = st.integers(-(2**63), 2**63 - 1)


def mixed(word: int) -> int:
    """The finaliser of SplitMix64 on whole numbers without a sign."""
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return word ^ (word >> 31)


def expected(key: int, counter: int, n: int) -> list[float]:
    step = 0x9E3779B97F4A7C15
    stream = mixed((mixed(key % 2**64) + counter * step) % 2**64)
    return [(mixed((stream + i * step) % 2**64) >> 11) / 2**53 for i in range(1, n + 1)]


def drawn(keys: list[int], counters: list[int], n: int) -> Tensor:
    return uniform(torch.tensor(keys), torch.tensor(counters), n)


def test_the_mixer_is_that_of_splitmix64() -> None:
    # The first outputs for the seed 1234567, as published with many implementations.
    states = [1234567 + i * 0x9E3779B97F4A7C15 for i in (1, 2, 3)]
    assert [mixed(state % 2**64) for state in states] == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
    ]


@given(key=WORDS, counter=st.integers(0, 2**40), n=st.integers(1, 5))
def test_numbers_are_those_of_the_formula_in_whole_numbers(key: int, counter: int, n: int) -> None:
    assert drawn([key], [counter], n).tolist() == [expected(key, counter, n)]


def test_numbers_stay_what_they_are() -> None:
    assert drawn([42, -1], [0, 5000], 2).tolist() == [
        [0.6146409341949204, 0.45010882945711317],
        [0.9893983397576648, 0.42008074396341355],
    ]


def test_a_row_is_the_same_alone_and_among_others_and_a_longer_draw_begins_alike() -> None:
    keys, counters = [5, 6, 7, 5], [0, 3, 2, 9]
    together = drawn(keys, counters, 6)
    for row, key, counter in zip(together, keys, counters, strict=True):
        assert torch.equal(row, drawn([key], [counter], 9)[0, :6])


@pytest.mark.parametrize("varied", ["keys", "counters", "places"])
def test_numbers_are_uniform_along_every_axis(varied: str) -> None:
    n = 50_000
    line, zeros = torch.arange(n), torch.zeros(n, dtype=torch.int64)
    if varied == "keys":
        numbers = uniform(line, zeros, 1).flatten()
    elif varied == "counters":
        numbers = uniform(zeros, line, 1).flatten()
    else:
        numbers = uniform(zeros[:1], zeros[:1], n).flatten()
    assert numbers.dtype == torch.float64
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert stats.kstest(numbers.numpy(), "uniform").pvalue > 1e-3
    pairs = np.histogram2d(numbers[:-1], numbers[1:], bins=16)[0].flatten()
    assert stats.chisquare(pairs).pvalue > 1e-3


@pytest.mark.parametrize(("keys", "counters"), [((1, 2), (0, 0)), ((1, 1), (0, 1))])
def test_neighbouring_streams_have_nothing_in_common(
    keys: tuple[int, int], counters: tuple[int, int]
) -> None:
    one, other = drawn(list(keys), list(counters), 20_000).numpy()
    assert abs(stats.pearsonr(one, other).statistic) < 4 / np.sqrt(20_000)
    assert not np.intersect1d(one, other).size


def test_streams_do_not_overlap_with_a_shift_of_the_counter() -> None:
    # A counter that were added like a place would repeat the stream, one place on.
    one, other = drawn([3, 3], [0, 1], 50)
    assert not np.intersect1d(one.numpy(), other.numpy()).size


def test_signs_are_even() -> None:
    assert signs(torch.tensor([0.0, 0.4999, 0.5, 0.9999])).tolist() == [-1, -1, 1, 1]
    assert abs(float(signs(drawn([9], [0], 40_000)).mean())) < 4 / 200


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_draws_the_same_numbers() -> None:
    keys = torch.arange(-500, 500) * 7919**4
    counters = torch.arange(1000)
    assert torch.equal(uniform(keys.cuda(), counters.cuda(), 7).cpu(), uniform(keys, counters, 7))


def test_words_are_the_mixed_counters_with_all_their_bits() -> None:
    step = 0x9E3779B97F4A7C15
    stream = mixed((mixed(42) + 3 * step) % 2**64)
    expected = [mixed((stream + i * step) % 2**64) for i in (1, 2)]
    assert [
        word % 2**64 for word in words(torch.tensor([42]), torch.tensor([3]), 2)[0].tolist()
    ] == expected
