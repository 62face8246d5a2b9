"""Attacking shifted images."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from robust_tuning.attacks import Outcomes, Progress, evaluate
from robust_tuning.callbacks.adversarial import folding, report_signs
from robust_tuning.callbacks.shift_plan import ShiftPlan
from robust_tuning.callbacks.source import LoadedExamples
from robust_tuning.processes import Processes
from robust_tuning.shifts import ShiftedSet
from robust_tuning.shifts.evaluation import Load, Restricted, shifted_batches
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Batch


def attack_shifted(
    tuner: RobustTuner,
    one: ShiftedSet,
    load: Load,
    plan: ShiftPlan,
    on_progress: Callable[[int], None] | None = None,
) -> Outcomes:
    """Attack the images of a set: perturbations live where they do without a shift, after it.

    Args:
        tuner: The model.
        one: The set.
        load: Makes batches of a data set, in its order.
        plan: Who attacks.
        on_progress: Called with the number of verdicts reached since the last call.
    """
    model = Restricted(tuner.backbone, one.labels.answers)
    outcomes = evaluate(
        model,
        LoadedExamples(one.examples, load, partial(_prepared, tuner, model, one)),
        plan.adversaries,
        batch_size=plan.batch_size,
        speed=plan.speed,
        folded=folding(tuner),
        processes=Processes.current(),
        on_progress=_Steps(on_progress) if on_progress else None,
    )
    report_signs(outcomes, one.key)
    labels = model.original(torch.from_numpy(outcomes.labels)).numpy()
    return replace(outcomes, labels=labels)


class _Steps:
    """Turns how far an attack is into how much further it has come."""

    def __init__(self, on_progress: Callable[[int], None]) -> None:
        self._on_progress = on_progress
        self._done = 0

    def __call__(self, state: Progress) -> None:
        self._on_progress(state.done - self._done)
        self._done = state.done


def _prepared(
    tuner: RobustTuner, model: Restricted, one: ShiftedSet, batches: Iterable[Batch]
) -> Iterator[Batch]:
    for batch in shifted_batches(one, batches, tuner.device):
        with torch.no_grad():
            images: Tensor = tuner.prepare(batch.images)
        yield Batch(images, model.renumbered(batch.labels), batch.indices)
