"""What has become of each run of a sweep, in a storage that any number of processes share.

An attempt at a run is a trial of Optuna's, and Optuna lets one process alone claim a trial. Nobody
keeps a plan: whoever joins adds the attempts that are missing, and of two that were added at the
same time for the same thing the first one counts. So no run is lost or done twice, whoever is
killed at whatever moment.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from robust_tuning.errors import RunError
from robust_tuning.sweeps.file import Sweep
from robust_tuning.sweeps.records import Record, read_records
from robust_tuning.sweeps.sampling import fixed_params, make_sampler, suggest
from robust_tuning.sweeps.storage import import_optuna

if TYPE_CHECKING:
    from optuna.study import Study

    from robust_tuning.sweeps.patience import PatientStorage

Failure = Literal["failed", "lost", "interrupted"]


class Ledger:
    """The runs of a sweep and their states.

    Args:
        study: Optuna's, of this sweep.
        storage: Where it lies.
        sweep: What there is to run.
        retries: How often a run is taken up again that has died without coming any further.
    """

    def __init__(
        self, study: "Study", storage: "PatientStorage", sweep: Sweep, retries: int = 5
    ) -> None:
        self.sweep = sweep
        self._study = study
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._retries = retries
        self._seen: dict[int, tuple[object, float]] = {}

    def hurry(self) -> None:
        """Do not wait for a storage that is out of reach; it is an error at once."""
        self._storage.patience = 0.0

    def records(self) -> list[Record]:
        """Every run, by its number; of one that nobody has attempted, that it is due."""
        trials = self._storage.get_all_trials(self._study_id, deepcopy=False)
        return read_records(trials, self.sweep.size, self._retries)

    def add_due(self, records: Sequence[Record]) -> bool:
        """Add the attempts that are missing; whether there were any."""
        cells = self.sweep.cells
        due = [record for record in records if record.state == "due"]
        for record in due:
            known = dict(record.params) or fixed_params(self.sweep, cells[record.index])
            marks = {"run": record.index, "attempt": record.attempt + 1}
            self._study.enqueue_trial(known, user_attrs=marks)
        return bool(due)

    def retry_failed(self) -> None:
        """Attempt once more what has failed for good."""
        for record in self.records():
            if record.state == "failed":
                marks = {"run": record.index, "attempt": record.attempt + 1}
                self._study.enqueue_trial(dict(record.params), user_attrs=marks)

    def claim(self, record: Record) -> bool:
        """Take a run that is waiting; False where another process was faster."""
        optuna = import_optuna()
        try:
            running = optuna.trial.TrialState.RUNNING
            return bool(self._storage.set_trial_state_values(record.trial_id, running))
        except optuna.exceptions.UpdateFinishedTrialError:
            return False

    def choose(self, record: Record) -> dict[str, Any]:
        """The values of a claimed run, by key of the configuration."""
        optuna = import_optuna()
        # Seeded by the run's number, so that no two processes draw the same; a study of its own,
        # since one keeps the trials that it has once seen.
        study = optuna.load_study(
            study_name=self._study.study_name,
            storage=self._storage,
            sampler=make_sampler(self.sweep.method, seed=record.index),
        )
        return suggest(self.sweep, optuna.trial.Trial(study, record.trial_id))

    def beat(self, record: Record) -> bool:
        """Show that a run's worker lives; False where others have given it up."""
        return self._tried(lambda: self._note(record, "beat", time.time()))

    def is_silent(self, record: Record, grace: float) -> bool:
        """Whether a running run has shown no life for so many seconds, by this process's clock."""
        beat, now = record.marks.get("beat"), time.monotonic()
        if self._seen.get(record.trial_id, (None, 0.0))[0] != (beat,):
            self._seen[record.trial_id] = (beat,), now
        return now - self._seen[record.trial_id][1] > grace

    def report(self, record: Record, history: Sequence[float]) -> None:
        """Store the values that a run has reached, one per evaluation."""
        known = len(record.history)

        def store() -> None:
            for step, value in enumerate(history[known:], start=known + 1):
                self._storage.set_trial_intermediate_value(record.trial_id, step, value)

        self._tried(store)

    def done(self, record: Record, values: Sequence[float], *, early: bool = False) -> None:
        """Store that a run has ended, by itself or stopped early."""
        states = import_optuna().trial.TrialState
        self._end(record, states.PRUNED if early else states.COMPLETE, "done", values=values)

    def fail(self, record: Record, reason: Failure, log: str = "") -> None:
        """Store that an attempt has come to nothing.

        Args:
            record: Of the run.
            reason: `failed` is for good; `lost`, where its process died, is tried again a few
                times; `interrupted` is tried again.
            log: What the process wrote last.
        """
        self._end(record, import_optuna().trial.TrialState.FAIL, reason, log=log)

    def _end(
        self,
        record: Record,
        state: Any,  # noqa: ANN401  Optuna's enumeration
        outcome: str,
        *,
        values: Sequence[float] | None = None,
        log: str = "",
    ) -> None:
        def end() -> None:
            self._note(record, "outcome", outcome)
            if log:
                self._note(record, "log", log)
            self._storage.set_trial_state_values(record.trial_id, state, values)

        self._tried(end)

    def _note(self, record: Record, key: str, value: object) -> None:
        self._storage.set_trial_user_attr(record.trial_id, key, value)

    def _tried(self, change: Callable[[], object]) -> bool:
        """Whether a trial could be changed; False where it has ended."""
        try:
            change()
        except import_optuna().exceptions.UpdateFinishedTrialError:
            return False
        return True


def find_ledger(storage: "PatientStorage", sweep: Sweep, retries: int = 5) -> Ledger | None:
    """The ledger of a sweep that has begun; None where none has.

    Raises:
        RunError: If a sweep of that name is of another file.
    """
    optuna = import_optuna()
    try:
        study = optuna.load_study(study_name=sweep.name, storage=storage)
    except KeyError:
        return None
    known = study.user_attrs.get("sweep")
    if known is None:  # whoever began was killed in between
        study.set_user_attr("sweep", sweep.identity)
    elif differing := _differences(known, sweep.identity):
        message = (
            f"the storage holds another sweep of the name {sweep.name!r}: it differs in "
            f"{', '.join(differing)}; give this one a name: of its own, or take the file back"
        )
        raise RunError(message)
    return Ledger(study, storage, sweep, retries)


def begin_ledger(storage: "PatientStorage", sweep: Sweep, retries: int = 5) -> Ledger:
    """The ledger of a sweep that begins; two processes that do so at once share it.

    Raises:
        RunError: As for `find_ledger`.
    """
    goal = "maximize" if sweep.maximise else "minimize"
    import_optuna().create_study(
        study_name=sweep.name,
        storage=storage,
        directions=["maximize", "maximize"] if sweep.method == "pareto" else [goal],
        load_if_exists=True,
    )
    ledger = find_ledger(storage, sweep, retries)
    if ledger is None:
        message = f"the storage has lost the sweep {sweep.name!r} which was just begun in it"
        raise RunError(message)
    return ledger


def _differences(known: Mapping[str, Any], mine: Mapping[str, Any]) -> list[str]:
    found = []
    for key in mine:
        if known.get(key) == mine[key]:
            continue
        if key == "parameters":
            before, now = known.get(key) or {}, mine[key]
            names = [n for n in {**before, **now} if before.get(n) != now.get(n)]
            found += [f"parameters, {name}" for name in names] or ["the order of parameters"]
        else:
            found.append(key)
    return found
