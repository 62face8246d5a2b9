from pathlib import Path

import pytest

from robust_tuning.errors import ConfigurationError
from robust_tuning.sweeps.devices import sets_of_gpus, share, visible_gpus


@pytest.mark.parametrize(
    ("named", "expected"),
    [("", []), ("-1", []), ("3", ["3"]), ("0, GPU-abc,7", ["0", "GPU-abc", "7"])],
)
def test_those_that_the_user_allows(
    named: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert visible_gpus() == expected


def test_those_that_the_driver_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == []
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 0\necho 1\n")
    program.chmod(0o755)
    assert visible_gpus() == ["0", "1"]
    program.write_text("#!/bin/sh\necho no devices\nexit 9\n")
    assert visible_gpus() == []


def test_every_worker_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    shares = [share(i, 4, ["5", "7"]) for i in range(4)]
    assert [s["CUDA_VISIBLE_DEVICES"] for s in shares] == ["5", "7", "5", "7"]
    assert "OMP_NUM_THREADS" not in shares[0]
    assert share(0, 1, []) == {}


def test_a_run_of_several_gpus_has_them_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert sets_of_gpus(["0", "1", "GPU-abc", "7", "8"], 2) == ["0,1", "GPU-abc,7"]
    assert sets_of_gpus(["0", "1"], 1) == ["0", "1"]
    assert sets_of_gpus([], 4) == []
    shares = [share(i, 2, ["0,1", "2,3"]) for i in range(2)]
    assert [s["CUDA_VISIBLE_DEVICES"] for s in shares] == ["0,1", "2,3"]
    with pytest.raises(ConfigurationError, match=r"--gpus_per_run 3: this machine has 2 \(0, 5\)"):
        sets_of_gpus(["0", "5"], 3)


def test_workers_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert share(0, 3, []) == {"OMP_NUM_THREADS": "2"}
    assert share(0, 9, []) == {"OMP_NUM_THREADS": "1"}
