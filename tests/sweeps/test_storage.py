import subprocess
import sys
import threading
from pathlib import Path

import optuna
import pytest

from robust_tuning.errors import ConfigurationError, RunError
from robust_tuning.sweeps.storage import open_storage

CLAIM = """
import sys
from optuna.trial import TrialState
from robust_tuning.sweeps.storage import open_storage
storage = open_storage(sys.argv[1])
input()
for trial in storage.get_all_trials(1 if "://" in sys.argv[1] else 0):
    if storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
        print(trial.number)
"""


def claim_by_three(where: str) -> list[int]:
    """The numbers of forty trials that three processes have claimed, all at once."""
    study = optuna.create_study(study_name="x", storage=open_storage(where))
    for _ in range(40):
        study.enqueue_trial({})
    others = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIM, where],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    answers = [""] * 3

    def let_go(place: int) -> None:
        answers[place] = others[place].communicate("\n")[0]

    threads = [threading.Thread(target=let_go, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [int(number) for answer in answers for number in answer.split()]


@pytest.mark.parametrize("place", ["{}/sweep.journal", "sqlite:///{}/sweep.db"])
def test_a_trial_is_claimed_by_one_process(place: str, tmp_path: Path) -> None:
    assert sorted(claim_by_three(place.format(tmp_path))) == list(range(40))


def test_a_line_that_a_kill_has_cut_off_harms_nobody(tmp_path: Path) -> None:
    place = tmp_path / "sweep.journal"
    study = optuna.create_study(study_name="x", storage=open_storage(str(place)))
    study.enqueue_trial({"a": 1})
    whole = place.read_bytes()
    study.enqueue_trial({"a": 2})
    place.write_bytes(place.read_bytes()[: len(whole) + 20])
    again = optuna.load_study(study_name="x", storage=open_storage(str(place)))
    again.enqueue_trial({"a": 3})
    seen = optuna.load_study(study_name="x", storage=open_storage(str(place)))
    assert [t.system_attrs["fixed_params"] for t in seen.get_trials()] == [{"a": 1}, {"a": 3}]


def test_what_cannot_be_opened_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RunError, match="--storage nonsense://x cannot be opened"):
        open_storage("nonsense://x")
    for driver in ("psycopg", "psycopg2"):
        monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(
        ConfigurationError, match=r"--storage postgresql\+psycopg://.*psycopg\[binary\]"
    ):
        open_storage("postgresql+psycopg://nobody@localhost:1/x")
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match="cannot be opened"):
        open_storage(str(tmp_path / "file" / "below"))
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'robust-tuning\[sweeps\]'"):
        open_storage(str(tmp_path / "sweep.journal"))
