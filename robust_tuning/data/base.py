"""What every benchmark offers to training and to evaluation."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, get_args

import numpy as np
import torch
from lightning.pytorch import LightningDataModule, Trainer
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, Subset

from robust_tuning.data.augmentation import Augmentation, AugmentedExamples, make_augmentation
from robust_tuning.data.examples import TensorExamples, collate
from robust_tuning.data.loader import BatchLoader, ResumableLoader, even_batches
from robust_tuning.data.splits import random_order, stratified_order
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.processes import Processes
from robust_tuning.types import Batch, ImageInput, Split


class BenchmarkDataModule(LightningDataModule, ABC):
    """One benchmark: disjoint train, validation and test examples.

    A subclass says what the classes are and loads a split; orders, limits, loaders and evaluation
    subsets are made here. Splits and subsets are decided by hashes of the examples' identities and
    are the same in every run, whatever its seed.

    Args:
        batch_size: Training examples per step and process.
        eval_batch_size: Examples per batch where no gradient is taken.
        num_workers: Processes that load examples; 0 loads in the training process.
        train_limit: Train on this many examples only, in the class proportions of the whole; None
            takes all.
        augmentation: What training images go through in every epoch anew: `none`, `crop_flip`
            (random resized crop and horizontal flip) or `randaugment` (both, and RandAugment).
        seed: Seed of the training order and of the augmentation (not of the splits).

    Raises:
        ConfigurationError: If a size is not positive, or there is no such augmentation.
    """

    def __init__(
        self,
        *,
        batch_size: int = 128,
        eval_batch_size: int = 256,
        num_workers: int = 0,
        train_limit: int | None = None,
        augmentation: Augmentation = "none",
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("eval_batch_size", eval_batch_size, 1),
            ("num_workers", num_workers, 0),
            ("train_limit", 1 if train_limit is None else train_limit, 1),
        ):
            if value < least:
                message = f"data.{name} is {value}, expected at least {least}"
                raise ConfigurationError(message)
        if augmentation not in get_args(Augmentation):
            known = ", ".join(get_args(Augmentation))
            message = f"data.augmentation is {augmentation!r}, expected one of {known}"
            raise ConfigurationError(message)
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.num_workers = num_workers
        self.train_limit = train_limit
        self.augmentation = augmentation
        self.seed = seed
        self.image_input = ImageInput()
        self._splits: dict[Split, Dataset[Batch]] = {}
        self._train_loader: ResumableLoader | None = None
        self._resume_at: dict[str, Any] | None = None

    @property
    def benchmark(self) -> str:
        """What tables call this benchmark."""
        return type(self).__name__

    @property
    @abstractmethod
    def class_names(self) -> tuple[str, ...]:
        """Names in label order, known before any image is read."""

    @cached_property
    def ood_domains(self) -> Sequence[str]:
        """Of a benchmark with several domains: those that are not trained on."""
        return ()

    def domain_examples(self, domain: str, split: Split, n: int | None = None) -> Dataset[Batch]:
        """The examples that every evaluation of one domain uses, labelled as the benchmark is.

        Args:
            domain: One of those trained on, or of `ood_domains`.
            split: Of that domain; nothing of another domain's is ever trained on.
            n: How many, as in `evaluation_examples`.

        Raises:
            ConfigurationError: If the benchmark has no such domain.
        """
        del split, n
        raise self._of_one_domain(domain)

    def domain_labels(self, domain: str, split: Split) -> NDArray[np.int64]:
        """The labels of all examples of a domain's split, known before any image is read.

        Args:
            domain: As in `domain_examples`.
            split: Of that domain.

        Raises:
            ConfigurationError: If the benchmark has no such domain.
        """
        del split
        raise self._of_one_domain(domain)

    @property
    def num_classes(self) -> int:
        """Number of classes, known before any image is read."""
        return len(self.class_names)

    @abstractmethod
    def load(self, split: Split) -> Dataset[Batch]:
        """Load a split; each item is a `Batch` of one example without batch dimension.

        Raises:
            DataError: If files are missing or not what they should be.
        """

    @abstractmethod
    def labels(self, split: Split) -> NDArray[np.int64]:
        """Labels of the split's examples, in the order of `load`."""

    @abstractmethod
    def identities(self, split: Split) -> list[str]:
        """What tells the split's examples apart, in the order of `load`; stable for ever."""

    @property
    def split_sizes(self) -> dict[Split, int]:
        """Examples of each split, before `train_limit`."""
        return {split: len(self.labels(split)) for split in get_args(Split)}

    def match(self, image_input: ImageInput) -> None:
        """Show photographs as a backbone wants them; what was loaded otherwise is forgotten.

        The trainer does this by itself. Images that travel at their own size are resized by the
        backbone and do not depend on it.
        """
        if image_input != self.image_input:
            self.image_input = image_input
            self._splits.clear()

    def setup(self, stage: str) -> None:
        """Load what a stage of the trainer needs, in the trained backbone's size."""
        backbone = getattr(getattr(self.trainer, "lightning_module", None), "backbone", None)
        if backbone is not None:
            self.match(backbone.image_input)
        needed: dict[str, tuple[Split, ...]] = {
            "fit": ("train", "validation"),
            "validate": ("validation",),
            "test": ("test",),
        }
        for split in needed.get(stage, ()):
            self.dataset(split)

    def dataset(self, split: Split) -> Dataset[Batch]:
        """The examples of a split (those to train on, for `train`), loaded once."""
        if split not in self._splits:
            examples = self.load(split)
            self._splits[split] = self.limited(examples) if split == "train" else examples
        return self._splits[split]

    def evaluation_examples(self, split: Split, n: int | None = None) -> Dataset[Batch]:
        """The examples that every evaluation of this split uses.

        Args:
            split: Where they come from.
            n: How many; the same ones for every seed, strategy and attack, and those of a smaller
                `n` are among those of a larger. None takes the whole split.

        Raises:
            DataError: If the split holds fewer than `n` examples.
        """
        identities = self.identities(split)
        if split == "train" and self.train_limit is not None:
            identities = [identities[position] for position in self._limited(self.train_limit)]
        return self.choose(self.dataset(split), identities, n, f"{split} split")

    def choose(
        self, examples: Dataset[Batch], identities: Sequence[str], n: int | None, what: str
    ) -> Dataset[Batch]:
        """The `n` of some examples that evaluations use; see `evaluation_examples`."""
        return examples if n is None else _subset(examples, self.chosen(identities, n, what))

    def chosen(self, identities: Sequence[str], n: int | None, what: str) -> NDArray[np.int64]:
        """The positions that `choose` takes, in its order; None takes all.

        Args:
            identities: What tells the examples apart.
            n: How many.
            what: Whose examples they are, for the error.

        Raises:
            DataError: If there are fewer.
        """
        if n is None:
            return np.arange(len(identities), dtype=np.int64)
        if not 1 <= n <= len(identities):
            message = (
                f"{n} evaluation examples were asked for, but the {what} of {self.benchmark} has "
                f"{len(identities)}; choose n from 1 to {len(identities)}, or leave it out to take "
                "all"
            )
            raise DataError(message)
        return random_order(identities, 0, "evaluation")[:n]

    def train_dataloader(self) -> ResumableLoader:
        """Shuffled training batches, resumable in mid-epoch."""
        examples = self.training_examples()
        if self.augmentation != "none":
            augment = make_augmentation(self.augmentation, self.training_size())
            examples = AugmentedExamples(examples, augment, self.seed)
        loader = ResumableLoader(
            examples, self.batch_size, seed=self.seed, num_workers=self.workers_for(examples)
        )
        if self._resume_at is not None:
            loader.load_state_dict(self._resume_at)
        self._train_loader = loader
        return loader

    def limited(self, examples: Dataset[Batch]) -> Dataset[Batch]:
        """Those of the whole training split that `train_limit` leaves.

        Raises:
            ConfigurationError: If there are fewer.
        """
        if self.train_limit is None:
            return examples
        return _subset(examples, self._limited(self.train_limit))

    def workers_for(self, examples: Dataset[Batch]) -> int:  # noqa: ARG002  for subclasses
        """How many processes load `examples`."""
        return self.num_workers

    def training_examples(self) -> Dataset[Batch]:
        """The examples to train on as training sees them, before any augmentation."""
        return self.dataset("train")

    def training_size(self) -> tuple[int, int]:
        """Height and width of augmented images: by default their own."""
        height, width = self.dataset("train")[0].images.shape[-2:]
        return height, width

    def state_dict(self) -> dict[str, Any]:
        """Where training is in its data; Lightning puts it into checkpoints."""
        return {} if self._train_loader is None else self._train_loader.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue there.

        Not left to the loader alone: Lightning restores a loader only if nothing has asked for the
        length of the training before, as a learning-rate schedule does.
        """
        self._resume_at = state_dict or None

    def val_dataloader(self) -> DataLoader[Batch]:
        """Batches of the whole validation split, or of this process's part of it."""
        return self._split_loader("validation")

    def test_dataloader(self) -> DataLoader[Batch]:
        """Batches of the whole test split, or of this process's part of it."""
        return self._split_loader("test")

    def evaluation_loader(self, examples: Dataset[Batch]) -> DataLoader[Batch]:
        """Batches of `examples` in their order."""
        return BatchLoader(
            examples,
            self.eval_batch_size,
            num_workers=self.workers_for(examples),
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
        )

    def _split_loader(self, split: Split) -> DataLoader[Batch]:
        examples = self.dataset(split)
        loader = self.evaluation_loader(examples)
        divided = self.trainer is not None and _shares_out(self.trainer)
        if Processes.current().size == 1 or divided:
            return loader
        size = len(examples)  # type: ignore[arg-type]  # sized by contract
        return BatchLoader(
            examples,
            batch_sampler=even_batches(size, self.eval_batch_size, f"{split} split"),
            num_workers=loader.num_workers,
            collate_fn=collate,
            pin_memory=loader.pin_memory,
        )

    def _of_one_domain(self, domain: str) -> ConfigurationError:
        message = f"{self.benchmark} is a benchmark of one domain: it has no {domain!r}"
        return ConfigurationError(message)

    def _limited(self, limit: int) -> NDArray[np.int64]:
        order = stratified_order(self.labels("train"), self.identities("train"), 0, "limit")
        if limit > len(order):
            message = (
                f"data.train_limit is {limit}, but {self.benchmark} has only "
                f"{len(order)} training examples"
            )
            raise ConfigurationError(message)
        return order[:limit]


def _shares_out(trainer: Trainer) -> bool:
    """Whether a trainer divides examples among processes by itself; it then pads them."""
    return bool(trainer._accelerator_connector.use_distributed_sampler)


def _subset(examples: Dataset[Batch], positions: NDArray[np.int64]) -> Dataset[Batch]:
    if isinstance(examples, TensorExamples):
        return examples.subset(positions)
    return Subset(examples, positions.tolist())
