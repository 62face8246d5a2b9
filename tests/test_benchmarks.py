"""The shipped configuration of every benchmark trains on files in the official layout."""

from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # has no annotations

from robust_tuning import data
from robust_tuning.cli.main import main
from robust_tuning.cli.shipped import shipped_root
from robust_tuning.frontier import read_points
from tests.data.small_benchmarks import lay_out

CONFIGS = {
    "cifar10": "CIFAR10",
    "cifar100": "CIFAR100",
    "caltech256": "Caltech256",
    "cub200": "CUB200",
    "stanford_dogs": "StanfordDogs",
    "domainnet": "DomainNet-real",
}


@pytest.mark.parametrize(("name", "benchmark"), CONFIGS.items())
def test_a_few_steps(
    name: str, benchmark: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = yaml.safe_load((shipped_root() / "configs" / f"{name}.yaml").read_text())
    kind = getattr(data, written["data"]["class_path"])
    settings = lay_out(kind, tmp_path / written["data"]["init_args"]["root"])
    words = [
        *("fit", "--config", f"configs/{name}.yaml", "--run", "run"),
        *("--model.backbone.name", "glyph_vit_patch8_32", "--data.batch_size", "8"),
        *("--data.expected", str(settings["expected"]), "--data.num_workers", "0"),
        *("--adversarial.n", "4", "--adversarial.schedule.preset", "null"),
        *("--adversarial.schedule.steps", "[2]", "--trainer.max_steps", "3"),
        *("--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false"),
    ]
    assert main(words) == 0
    points = read_points(tmp_path / "run")
    assert [point.step for point in points] == [0, 2, 3]
    assert {point.benchmark for point in points} == {benchmark}
    assert all(point.accuracy.n == 4 for point in points)


def test_missing_files_are_named_and_leave_no_run_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("fit", "--config", "configs/cub200.yaml", "--model.backbone.name")
    assert main([*words, "glyph_vit_patch8_32"]) == 1
    said = capsys.readouterr().err
    assert "CUB_200_2011.tgz (1,150,585,339 bytes, md5 97eceeb196236b17998738112f37df78)" in said
    assert f"put them into {tmp_path / 'data' / 'cub200'}" in said
    assert "Traceback" not in said
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
