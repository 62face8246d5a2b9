"""Random samples of examples that do not depend on their order."""

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def random_sample(indices: NDArray[np.int64], n: int, purpose: str) -> NDArray[np.int64]:
    """Positions of a simple random sample, decided by the examples' identities.

    Args:
        indices: Identity of each example `(m,)`.
        n: How many to take; all of them where there are no more.
        purpose: Another word gives an independent sample.

    Returns:
        Positions `(min(n, m),)`, ascending.
    """
    keys = [blake2b(f"{purpose}:{index}".encode(), digest_size=8).digest() for index in indices]
    order = np.argsort(np.frombuffer(b"".join(keys), dtype="<u8"), kind="stable")
    return np.sort(order[:n]).astype(np.int64)
