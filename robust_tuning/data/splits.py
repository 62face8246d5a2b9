"""Splits and subsets that are the same on every machine, for ever.

An example's place is decided by a hash of its identity (a file name, a row number) and a seed. No
random number generator is involved, whose streams change with library versions, and no listing
order.
"""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def hash_keys(identities: Sequence[str], seed: int, purpose: str) -> NDArray[np.uint64]:
    """One uniform 64-bit key per identity.

    Args:
        identities: What tells the examples apart.
        seed: Another seed gives unrelated keys.
        purpose: Keeps the keys of one use (a split, a subset) independent of another's.

    Returns:
        Keys `(N,)`.
    """
    prefix = f"{purpose}:{seed}:"
    digests = b"".join(blake2b((prefix + i).encode(), digest_size=8).digest() for i in identities)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def random_order(identities: Sequence[str], seed: int, purpose: str) -> NDArray[np.int64]:
    """A random order of the examples, whose prefixes are simple random samples.

    Returns:
        Positions `(N,)`.
    """
    return np.argsort(hash_keys(identities, seed, purpose), kind="stable").astype(np.int64)


def stratified_order(
    labels: NDArray[np.int64], identities: Sequence[str], seed: int, purpose: str
) -> NDArray[np.int64]:
    """A random order in which every prefix has the class proportions of the whole.

    Within its class, the i-th of m examples stands at the quantile (i + 1/2) / m; the classes are
    merged by quantile. Of N examples in C classes, a prefix of k thus holds a class of m within
    `(1 + C m / N) / 2` of its share `k m / N`: within one where the classes are equally large.

    Args:
        labels: Class of each example `(N,)`.
        identities: As in `hash_keys`.
        seed: As in `hash_keys`.
        purpose: As in `hash_keys`.

    Returns:
        Positions `(N,)`.

    >>> labels = np.array([0, 0, 0, 0, 1, 1])
    >>> order = stratified_order(labels, list("abcdef"), seed=0, purpose="test")
    >>> sorted(labels[order[:3]].tolist())
    [0, 0, 1]
    """
    keys = hash_keys(identities, seed, purpose)
    quantiles = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        ranked = members[np.argsort(keys[members], kind="stable")]
        quantiles[ranked] = (np.arange(len(members)) + 0.5) / len(members)
    return np.lexsort((keys, quantiles)).astype(np.int64)
