"""Examples of a benchmark as an evaluation by several processes takes them."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from torch.utils.data import Dataset, Subset

from robust_tuning.data.examples import collate
from robust_tuning.data.loader import BatchLoader
from robust_tuning.types import Batch


class LoadedExamples:
    """A `Source` of examples that are loaded, and then changed.

    Args:
        examples: As they are stored.
        load: Makes batches of a data set, in its order.
        change: From loaded batches to those that are evaluated, such as shifted and resized ones;
            of each example by itself.
    """

    def __init__(
        self,
        examples: Dataset[Batch],
        load: Callable[[Dataset[Batch]], Iterable[Batch]],
        change: Callable[[Iterable[Batch]], Iterator[Batch]],
    ) -> None:
        self._examples = examples
        self._load = load
        self._change = change

    def __len__(self) -> int:
        return len(self._examples)  # type: ignore[arg-type]  # sized by contract

    def __iter__(self) -> Iterator[Batch]:
        return self._change(self._load(self._examples))

    def batches(self, positions: Sequence[int]) -> Iterator[Batch]:
        """Many examples, loaded as all of them would be."""
        return self._change(self._load(Subset(self._examples, positions)))

    def few(self, positions: Sequence[int]) -> Batch:
        """A handful of examples, without waiting for processes that load them to begin."""
        some = Subset(self._examples, positions)
        [batch] = self._change(BatchLoader(some, len(positions), collate_fn=collate))
        return batch
