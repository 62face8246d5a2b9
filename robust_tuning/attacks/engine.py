"""Which examples a model classifies correctly, and which of those an adversary breaks.

A verdict costs what the example needs: one that is misclassified unperturbed never enters an
attack, one that is broken leaves at once, and another takes its slot (`pool`). What survives one
attack of an adversary goes on to the next (`campaign`), and what is known at one radius is not
found out again at another (`ladders`).
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from contextlib import ExitStack
from dataclasses import replace
from importlib.util import find_spec

import torch
from torch import nn

from robust_tuning.attacks.adversary import Adversary
from robust_tuning.attacks.checks import check_count, check_model
from robust_tuning.attacks.evaluation import Evaluation, Examples, Plan
from robust_tuning.attacks.examples import AdversarialExamples, Kept
from robust_tuning.attacks.journal import Cost, Journal
from robust_tuning.attacks.ladders import Descent
from robust_tuning.attacks.oracle import Oracle
from robust_tuning.attacks.outcomes import Outcomes, Progress
from robust_tuning.attacks.shared import SharedEvaluation
from robust_tuning.attacks.speed import Folding, Speed
from robust_tuning.attacks.stock import Source
from robust_tuning.errors import ConfigurationError
from robust_tuning.isolation import undisturbed
from robust_tuning.processes import Processes


def evaluate(
    model: nn.Module,
    examples: Iterable[Examples] | Source,
    adversaries: Adversary | Sequence[Adversary],
    *,
    batch_size: int = 64,
    inherit: bool = False,
    audit: int = 60,
    warm_start: Mapping[str, AdversarialExamples] | None = None,
    keep: Kept | None = None,
    sanity: bool = True,
    speed: Speed = Speed(),  # noqa: B008  frozen
    folded: Folding | None = None,
    journal: Journal | None = None,
    processes: Processes = Processes(),  # noqa: B008  this one alone
    total: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> Outcomes:
    """Find which examples a model classifies correctly, and which of those an adversary breaks.

    With several radii of one norm an example that falls at one counts as broken at every larger:
    it is searched from the smallest radius up. An attack that looks for the nearest adversarial
    image, such as `FMN`, runs once for all radii.

    Args:
        model: `(B, C, H, W)` images in [0, 1] to logits `(B, K)`. It is run in evaluation mode with
            frozen parameters and left as found.
        examples: Batches on any device, such as a data loader's: images, labels and, where there
            are any, indices; without indices an example's place is its identity. They are read
            once, as needed.
        adversaries: One or several, with different threats.
        batch_size: Slots per attack. It changes the speed, not the result; where it does not fit
            into the device's memory, passes are made smaller.
        inherit: Search from the largest radius down instead, and take who survives there for robust
            at every smaller one. Much cheaper, and no proof: an attack may do worse with more room.
            A random sample is attacked all the same; `Outcomes.audits` says what that bounds.
        audit: Size of that sample at each radius. 60 without a finding bound the share overstated
            by 5 % at 95 % confidence.
        warm_start: What an earlier evaluation kept, by threat: there the first attack that can
            begins a second time, which makes the result depend on history.
        keep: Return the adversarial images, in `float32` or rounded to `uint8` and judged as such.
        sanity: Attack a few survivors otherwise, to see whether the verdicts can be what they seem;
            see `Diagnostics`.
        speed: How gradients may be had faster.
        folded: Within it the model has fewer operations for the same answers, such as a strategy's
            `merged`; gradients then come from a copy made there.
        journal: Where verdicts are written down as they fall, and from which those that an
            interrupted evaluation has reached are taken; with `keep` nothing is taken from it. Each
            process has its own.
        processes: Who shares the work: each calls this with the same arguments, among them a
            `Source` of the examples, and gets the same verdicts.
        total: Number of examples, for the progress; by default what `examples.dataset` says.
        on_progress: Called after each step.

    Returns:
        The verdicts in the order of the examples. With `eps = 0`, `robust` equals `clean_correct`.

    Raises:
        ConfigurationError: If two adversaries have the same threat, if `batch_size` or `audit` is
            out of range, or if several processes are given no `Source`.
        DataError: If there are no examples or fewer than `total`, if an image is not float32 in
            [0, 1] or a label not a class of the model, or if the logits are not finite.
        torch.OutOfMemoryError: If not even one example fits.
    """
    chosen = [adversaries] if isinstance(adversaries, Adversary) else list(adversaries)
    _check(chosen, batch_size, audit)
    _check_shared(processes, examples)
    check_model(model)
    plan = Plan(batch_size, Descent(audit) if inherit else None, keep, warm_start, sanity, journal)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    began = time.perf_counter()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with ExitStack() as stack:
        stack.enter_context(processes.together())
        stack.enter_context(undisturbed(model))
        oracle = Oracle(model, speed.approximation(model, batch_size, folded))

        def spent() -> Cost:
            return Cost(oracle.forward, oracle.backward, time.perf_counter() - began)

        if journal is not None:
            stack.enter_context(journal.open_until_done(spent))
        if isinstance(examples, Source) and processes.size > 1:
            shared = SharedEvaluation(oracle, device, chosen, plan, processes)
            steps = shared.shared_steps(examples)
            run: Evaluation = shared
        else:
            run = Evaluation(oracle, device, chosen, plan)
            steps = run.steps(examples)
        size = total or _size(examples)
        for _ in steps:
            if journal is not None:
                journal.keep_up()
            if on_progress is not None:
                on_progress(run.progress(size))
        check_count(run.count, size)
        outcomes = run.outcomes()
        earlier = Cost() if journal is None else journal.earlier
        cost = _of_all(processes.gather(earlier.plus(spent())))
        memory = max(processes.gather(_peak_memory(device)))
    return replace(
        outcomes,
        forward=cost.forward,
        backward=cost.backward,
        seconds=cost.seconds,
        peak_memory=memory,
    )


def _check(adversaries: Sequence[Adversary], batch_size: int, audit: int) -> None:
    keys = [adversary.threat.key for adversary in adversaries]
    if len(set(keys)) < len(keys):
        message = f"two attacks have the same threat: {', '.join(keys)}; evaluate them separately"
        raise ConfigurationError(message)
    if batch_size < 1:
        message = f"batch_size is {batch_size}, expected at least 1"
        raise ConfigurationError(message)
    if audit < 0:
        message = f"audit is {audit}, expected 0 or more examples"
        raise ConfigurationError(message)


def _check_shared(processes: Processes, examples: Iterable[Examples] | Source) -> None:
    if processes.size > 1 and not isinstance(examples, Source):
        message = (
            f"{processes.size} processes share the examples, which are a {type(examples).__name__}:"
            " expected a Source, from which each takes those that it attacks"
        )
        raise ConfigurationError(message)


def _of_all(costs: Sequence[Cost]) -> Cost:
    """The cost of what several processes did side by side."""
    return Cost(
        sum(cost.forward for cost in costs),
        sum(cost.backward for cost in costs),
        max(cost.seconds for cost in costs),
    )


def _size(examples: Iterable[Examples] | Source) -> int | None:
    if isinstance(examples, Source):
        return len(examples)
    dataset = getattr(examples, "dataset", None)
    return len(dataset) if isinstance(dataset, Sized) else None


def _peak_memory(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if find_spec("resource") is None:  # on Windows
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
