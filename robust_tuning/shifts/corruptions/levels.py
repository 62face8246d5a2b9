"""From computed grey levels to stored ones."""

from torch import Tensor

ROUNDING = 2.0**-10


def truncated(levels: Tensor) -> Tensor:
    """Cut levels from 0 to 255 to whole ones, as the reference implementations do.

    A thousandth of a level is added before: a level that is whole but for rounding, as in an area
    of one colour after a blur, stays what it is; in the reference it may lose one.

    Args:
        levels: Floating point, of any range.

    Returns:
        uint8 of the same shape.

    >>> import torch
    >>> truncated(torch.tensor([-3.0, 6.9, 6.9999, 300.0])).tolist()
    [0, 6, 7, 255]
    """
    return (levels + ROUNDING).clamp_(0, 255).byte()
