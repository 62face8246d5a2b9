"""Which answers are right."""

from torch import Tensor


def misclassified(logits: Tensor, labels: Tensor) -> Tensor:
    """Whether a row's answer is wrong `(B,)`: another class, or no number at all.

    Args:
        logits: `(B, K)`.
        labels: `(B,)` int64.
    """
    # What is not a number is no right answer, wherever argmax puts it.
    return (logits.argmax(1) != labels) | logits.isnan().any(1)
