"""The runs of a sweep, read from Optuna's trials."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

State = Literal["due", "waiting", "running", "done", "stopped", "failed"]
ENDED = ("done", "stopped", "failed")


@dataclass(frozen=True)
class Record:
    """A run, as its latest attempt has it.

    Attributes:
        index: The run's number.
        state: `due` to be attempted, waiting for a worker, running, `done`, `stopped` early, or
            `failed` for good.
        attempt: Number of the latest attempt; -1 for none.
        trial_id: Optuna's; -1 for none.
        params: Values that were chosen, as Optuna stores them.
        history: The metric by evaluation.
        values: The result, once there is one.
        marks: What workers have noted.
        duration: How long the latest attempt took, once it has ended.
    """

    index: int
    state: State
    attempt: int = -1
    trial_id: int = -1
    params: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    marks: Mapping[str, Any] = field(default_factory=dict)
    duration: timedelta | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing will be done about it any more."""
        return self.state in ENDED

    @property
    def log(self) -> str:
        """What the process of a failed run wrote last."""
        return str(self.marks.get("log", ""))


def read_records(trials: Iterable["FrozenTrial"], size: int, retries: int) -> list[Record]:
    """Every run of a sweep.

    Args:
        trials: Optuna's, in the order of their numbers.
        size: How many runs the sweep has at least.
        retries: How often a run is attempted again whose process has died without coming further.

    Returns:
        One for each run, by its number.
    """
    attempts: dict[int, dict[int, FrozenTrial]] = {index: {} for index in range(size)}
    for trial in trials:
        marks = trial.user_attrs
        if "run" in marks:  # of two for the same attempt the first counts
            attempts.setdefault(marks["run"], {}).setdefault(marks["attempt"], trial)
    return [_record(index, attempts[index], retries) for index in sorted(attempts)]


def _record(index: int, attempts: Mapping[int, "FrozenTrial"], retries: int) -> Record:
    if not attempts:
        return Record(index, "due")
    latest = max(attempts)
    trial = attempts[latest]
    fixed = trial.system_attrs.get("fixed_params", {})
    return Record(
        index=index,
        state=_state(trial, again=_losses(attempts) <= retries),
        attempt=latest,
        trial_id=trial._trial_id,
        params={**fixed, **trial.params},
        history=tuple(value for _, value in sorted(trial.intermediate_values.items())),
        values=tuple(trial.values or ()),
        marks=trial.user_attrs,
        duration=trial.duration,
    )


def _losses(attempts: Mapping[int, "FrozenTrial"]) -> int:
    """How often a run has died since it last came any further."""
    losses, furthest = 0, 0
    for _, trial in sorted(attempts.items()):
        reached = len(trial.intermediate_values)
        if reached > furthest:
            losses, furthest = 0, reached
        losses += trial.user_attrs.get("outcome") == "lost"
    return losses


def _state(trial: "FrozenTrial", *, again: bool) -> State:
    name = trial.state.name
    if name != "FAIL":
        states: dict[str, State] = {"COMPLETE": "done", "PRUNED": "stopped"}
        states |= {"WAITING": "waiting", "RUNNING": "running"}
        return states[name]
    outcome = trial.user_attrs.get("outcome")
    tried = outcome == "interrupted" or (outcome == "lost" and again)
    return "due" if tried else "failed"
