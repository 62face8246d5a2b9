"""Random numbers that are a function of a key and a counter, whatever else has been drawn."""

import torch
from torch import Tensor


def uniform(keys: Tensor, counters: Tensor, n: int) -> Tensor:
    """Draw numbers uniformly from [0, 1), the same ones on every device and in any batch.

    They are the upper 53 bits of the numbers' `words`.

    Args:
        keys: One per stream `(B,)` int64.
        counters: Which draw from the stream `(B,)` int64; not negative.
        n: Numbers per draw.

    Returns:
        `(B, n)` float64.

    >>> keys = torch.tensor([7, 7, 8])
    >>> a, b, c = uniform(keys, torch.tensor([0, 0, 0]), 2)
    >>> torch.equal(a, b), torch.equal(a, c)
    (True, False)
    """
    return _shifted(words(keys, counters, n), 11).double() * 2.0**-53


def words(keys: Tensor, counters: Tensor, n: int) -> Tensor:
    """Draw 64 random bits at a time, the same ones on every device and in any batch.

    The i-th word of a row, from 0, is `mix(mix(mix(key) + counter * g) + (i + 1) * g)`, where `mix`
    is the finaliser of SplitMix64 and `g = 0x9E3779B97F4A7C15` its increment, all in 64-bit
    arithmetic without overflow checks.

    Source: G. Steele, D. Lea and C. Flood, "Fast splittable pseudorandom number generators",
    OOPSLA 2014, figure 14 (`mix` is the variant in Java's `SplittableRandom`). Not for secrets.

    Args:
        keys: One per stream `(B,)` int64.
        counters: Which draw from the stream `(B,)` int64; not negative.
        n: Words per draw.

    Returns:
        `(B, n)` int64.

    >>> words(torch.tensor([7]), torch.tensor([0]), 3).shape
    torch.Size([1, 3])
    """
    streams = _mix(_mix(keys) + counters * _INCREMENT)
    places = torch.arange(1, n + 1, device=keys.device) * _INCREMENT
    return _mix(streams[:, None] + places)


def signs(numbers: Tensor) -> Tensor:
    """-1 or 1 with equal probability, from uniform numbers.

    >>> signs(torch.tensor([0.1, 0.5]))
    tensor([-1.,  1.])
    """
    return torch.where(numbers < 0.5, -1.0, 1.0).to(numbers)


def _mix(words: Tensor) -> Tensor:
    words = (words ^ _shifted(words, 30)) * _FIRST
    words = (words ^ _shifted(words, 27)) * _SECOND
    return words ^ _shifted(words, 31)


def _shifted(words: Tensor, bits: int) -> Tensor:
    """Shift to the right, with zeros from the left: torch's own shift repeats the sign."""
    return (words >> bits) & ((1 << (64 - bits)) - 1)


def _signed(word: int) -> int:
    """The int64 with the bits of an unsigned word."""
    return word - (1 << 64) if word >> 63 else word


_INCREMENT = _signed(0x9E3779B97F4A7C15)
_FIRST = _signed(0xBF58476D1CE4E5B9)
_SECOND = _signed(0x94D049BB133111EB)
