"""Robust accuracy as a metric that accumulates over batches."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from robust_tuning.attacks.adversary import Adversary
from robust_tuning.attacks.engine import evaluate
from robust_tuning.types import Batch


class RobustAccuracy(Metric):
    """Clean and robust accuracy over all batches seen, on all processes.

    For evaluation loops of one's own: each batch is attacked when it comes, so that slots are not
    refilled across batches; `evaluate` over all batches is faster and says more.

    Args:
        adversaries: One or several, with different threats.
        batch_size: Examples attacked at a time.

    >>> from robust_tuning.attacks import FGSM
    >>> metric = RobustAccuracy(FGSM(eps="8/255"))
    >>> net = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    >>> metric.update(net, torch.rand(5, 3, 2, 2), torch.zeros(5, dtype=torch.int64))
    >>> sorted(metric.compute())
    ['accuracy', 'linf-8/255']
    """

    full_state_update = False
    correct: Tensor
    robust: Tensor
    total: Tensor

    def __init__(
        self, adversaries: Adversary | Sequence[Adversary], *, batch_size: int = 64
    ) -> None:
        super().__init__()
        listed = [adversaries] if isinstance(adversaries, Adversary) else list(adversaries)
        self.adversaries = listed
        self.batch_size = batch_size
        none = torch.tensor(0)
        self.add_state("correct", none, dist_reduce_fx="sum")
        self.add_state("robust", torch.zeros(len(listed), dtype=none.dtype), dist_reduce_fx="sum")
        self.add_state("total", none.clone(), dist_reduce_fx="sum")

    def update(
        self, model: nn.Module, images: Tensor, labels: Tensor, indices: Tensor | None = None
    ) -> None:
        """Attack a batch.

        Args:
            model: From images in [0, 1] to logits `(B, K)`; left as found.
            images: `(B, C, H, W)` in [0, 1].
            labels: `(B,)` int64.
            indices: Identity of each example `(B,)`, on which its random numbers depend; None
                counts the examples of this process.

        Raises:
            DataError: If the images or labels are not as expected; see `evaluate`.
        """
        if indices is None:
            indices = torch.arange(int(self.total), int(self.total) + len(labels))
        batch = Batch(images, labels, indices)
        outcomes = evaluate(
            model, [batch], self.adversaries, batch_size=self.batch_size, sanity=False
        )
        self.correct += int(outcomes.clean_correct.sum())
        self.robust += torch.tensor([int(found.sum()) for found in outcomes.robust.values()]).to(
            self.robust
        )
        self.total += len(labels)

    def compute(self) -> dict[str, Tensor]:
        """Accuracies in [0, 1]: `accuracy`, and one under the name of each threat."""
        keys = [adversary.threat.key for adversary in self.adversaries]
        robust = {key: count / self.total for key, count in zip(keys, self.robust, strict=True)}
        return {"accuracy": self.correct / self.total, **robust}
