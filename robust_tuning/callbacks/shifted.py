"""Measuring a model on shifted images, attacked or not."""

import time
from collections.abc import Callable, Iterator, Sequence

from torch.utils.data import DataLoader, Dataset, Subset

from robust_tuning.attacks import Outcomes
from robust_tuning.attacks.estimate import estimate
from robust_tuning.callbacks.adversarial import counts
from robust_tuning.callbacks.measurement import Measurement
from robust_tuning.callbacks.shift_attack import attack_shifted
from robust_tuning.callbacks.shift_plan import Price, ShiftPlan, identities
from robust_tuning.data import BenchmarkDataModule
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import Cost, Estimate, ExampleOutcomes, ShiftIdentity, ShiftOutcomes
from robust_tuning.metrics import calibration_error
from robust_tuning.processes import Processes
from robust_tuning.shifts import LabelMap, ShiftedSet
from robust_tuning.shifts.cache import cached
from robust_tuning.shifts.evaluation import (
    Answers,
    Share,
    answers,
    grouped,
)
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Batch, Split

CLEAN = "clean"
# Images of each set that are tried out for an estimate of the time.
_TRIED = 16


class ShiftedEvaluation:
    """The sets of some shifts, prepared once and evaluated as often as need be.

    Args:
        plan: What is measured.
        data: The benchmark, matched to the backbone.
        split: From which part of the data.
        n: Examples of each set; None takes all.

    Raises:
        ConfigurationError: If two sets have one name, or a shift does not go with the benchmark.
        DataError: If files are missing or damaged.
    """

    def __init__(
        self, plan: ShiftPlan, data: BenchmarkDataModule, split: Split, n: int | None
    ) -> None:
        self._plan = plan
        self._data = data
        self._split = split
        labels = LabelMap.identity(data.class_names)
        clean = ShiftedSet(CLEAN, data.evaluation_examples(split, n), labels)
        self._by_shift = {shift.name: list(shift.sets(data, split, n)) for shift in plan.shifts}
        self._sets = [clean, *(one for sets in self._by_shift.values() for one in sets)]
        keys = [one.key for one in self._sets]
        names = [shift.name for shift in plan.shifts]
        for found in (keys, names):
            if twice := {key for key in found if found.count(key) > 1}:
                message = f"two shifts are called {', '.join(sorted(twice))}: expected each once"
                raise ConfigurationError(message)

    @property
    def findings(self) -> list[str]:
        """What is odd about the classes of each set."""
        return [f"{one.key}: {words}" for one in self._sets for words in one.findings]

    @property
    def work(self) -> int:
        """Images to classify and verdicts of attacks to reach."""
        shifted_images = sum(_size(one) for one in self._sets[1:])
        return _size(self._sets[0]) + shifted_images * (1 + len(self._plan.adversaries))

    @property
    def changed(self) -> int:
        """Images that are computed before they are classified."""
        return sum(_size(one) for one in self._sets if one.transform is not None)

    def keep(self, tuner: RobustTuner, on_progress: Callable[[int], None] | None = None) -> None:
        """Compute shifted images once and for all, if the plan says so."""
        self._sets = cached(
            self._sets,
            self._plan.cache,
            self._plan.cache_dir,
            load=self._load,
            device=tuner.device,
            on_progress=on_progress,
        )
        by_key = {one.key: one for one in self._sets}
        self._by_shift = {
            name: [by_key[one.key] for one in sets] for name, sets in self._by_shift.items()
        }

    def price(self, tuner: RobustTuner) -> Price:
        """Tell the cost by trying a few images of each set."""
        seconds = sum(self._seconds(tuner, group) for group in grouped(self._sets))
        gradients = 0.0
        if self._plan.adversaries:
            for one in self._sets[1:]:
                classes, n = tuner.num_classes, _size(one)
                gradients += estimate(self._plan.adversaries, classes, n, 1.0, {}).backward
        images = sum(_size(one) for one in self._sets)
        return Price(len(self._sets) - 1, images, self.changed, seconds, int(gradients))

    def _seconds(self, tuner: RobustTuner, group: Sequence[ShiftedSet]) -> float:
        """What the sets of the same examples take together, about."""
        few = range(min(_TRIED, _size(group[0])))
        batch = next(iter(self._load(Subset(group[0].examples, few))))
        one_image = Batch(*(tensor[:1] for tensor in batch))
        for tried in (one_image, batch):  # the first time is slower
            began = time.perf_counter()
            answers(
                tuner.backbone,
                group,
                load=lambda _, tried=tried: [tried],  # type: ignore[misc]  # bound now
                prepare=tuner.prepare,
                device=tuner.device,
            )
        return (time.perf_counter() - began) / len(batch.labels) * _size(group[0])

    def identities(self, tuner: RobustTuner) -> dict[str, ShiftIdentity]:
        """Names of the shifts, and of attacks on their images, with all that decides a number."""
        return identities(self._plan, self._by_shift, tuner)

    def measure(
        self, tuner: RobustTuner, on_progress: Callable[[int], None] | None = None
    ) -> Measurement:
        """Classify and attack the images of every set, leaving no trace."""
        began = time.perf_counter()
        processes = Processes.current()
        share = Share(processes.rank, processes.size, self._data.eval_batch_size)
        found = answers(
            tuner.backbone,
            self._sets,
            load=self._load,
            prepare=tuner.prepare,
            device=tuner.device,
            share=share,
            on_progress=on_progress,
        )
        together = _gathered(found, share, processes)
        attacked = dict(self._attacked(tuner, on_progress))
        clean = together[CLEAN]
        robust = {
            f"{key}/{threat}": ShiftOutcomes(outcomes.indices, outcomes.labels, bits)
            for key, outcomes in attacked.items()
            for threat, bits in outcomes.robust.items()
        }
        shifts = {
            key: ShiftOutcomes(part.indices, part.labels, part.correct)
            for key, part in together.items()
            if key != CLEAN
        }
        forward = sum(len(part) for part in together.values())
        return Measurement(
            split=self._split,
            outcomes=ExampleOutcomes(
                clean.indices, clean.labels, clean.correct, shifts={**shifts, **robust}
            ),
            attack=None,
            cost=Cost(
                time.perf_counter() - began,
                forward + sum(outcomes.forward for outcomes in attacked.values()),
                sum(outcomes.backward for outcomes in attacked.values()),
                max((outcomes.peak_memory for outcomes in attacked.values()), default=0),
            ),
            diagnostics={
                f"{key}/{threat}": numbers
                for key, outcomes in attacked.items()
                for threat, numbers in counts(outcomes).items()
            },
            shifts=self.identities(tuner),
            calibration={
                key: Estimate(*calibration_error(part.confidence, part.correct))
                for key, part in together.items()
            },
        )

    def _attacked(
        self, tuner: RobustTuner, on_progress: Callable[[int], None] | None
    ) -> Iterator[tuple[str, Outcomes]]:
        if self._plan.adversaries:
            for one in self._sets[1:]:
                yield one.key, attack_shifted(tuner, one, self._load, self._plan, on_progress)

    def _load(self, examples: Dataset[Batch]) -> DataLoader[Batch]:
        return self._data.evaluation_loader(examples)


def _gathered(found: dict[str, Answers], share: Share, processes: Processes) -> dict[str, Answers]:
    """What all processes found, in the order of the examples."""
    parts = processes.gather(found)
    return {key: share.together([part[key] for part in parts]) for key in found}


def _size(one: ShiftedSet) -> int:
    return len(one.examples)  # type: ignore[arg-type]  # sized by contract
