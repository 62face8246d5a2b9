import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from robust_tuning.backbones import BackboneConfig
from robust_tuning.errors import WeightsError
from robust_tuning.strategies import BitFit, FullFineTuning, LinearProbe, LoRA, Strategy
from robust_tuning.trajectory import load_point, save_point, trajectory_path
from robust_tuning.tuner import RobustTuner
from tests.runs import TINY, make_tuner
from tests.test_tuner import each_strategy, logits

RESNET = BackboneConfig("test_resnet", False, 32)


def moved(tuner: RobustTuner) -> RobustTuner:
    """As after some training: what trains and every buffer is elsewhere."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in tuner.backbone.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for name, buffer in tuner.backbone.named_buffers():
            if buffer.is_floating_point() and name in tuner.backbone.state_dict():
                buffer.mul_(1 + 0.1 * torch.rand(buffer.shape, generator=generator))
    return tuner


@pytest.fixture
def point(tmp_path: Path) -> Path:
    file = tmp_path / "x.safetensors"
    save_point(moved(make_tuner()), file)
    return file


def test_a_point_has_its_place(tmp_path: Path) -> None:
    expected = tmp_path / "trajectory" / "step-00000050.safetensors"
    assert trajectory_path(tmp_path, 50) == expected


@each_strategy
def test_a_point_gives_the_models_logits_to_the_bit(
    strategy: Callable[[], Strategy], tmp_path: Path
) -> None:
    tuner = make_tuner(strategy(), lr=0.3, weight_decay=0.1, seed=4)
    fresh = logits(tuner)
    expected = logits(moved(tuner))
    assert not torch.equal(fresh, expected)
    save_point(tuner, tmp_path / "deep" / "x.safetensors")
    again = load_point(tmp_path / "deep" / "x.safetensors")
    assert torch.equal(logits(again), expected)
    assert again.specification() == tuner.specification()
    assert torch.equal(logits(tuner), expected)


@pytest.mark.parametrize("strategy", [FullFineTuning, LinearProbe, BitFit])
def test_running_statistics_are_part_of_a_point(
    strategy: Callable[[], Strategy], tmp_path: Path
) -> None:
    tuner = moved(make_tuner(strategy(), backbone=RESNET))
    save_point(tuner, tmp_path / "x.safetensors")
    assert torch.equal(logits(load_point(tmp_path / "x.safetensors")), logits(tuner))
    names = set(load_file(tmp_path / "x.safetensors"))
    assert any(name.endswith("running_mean") for name in names)


@each_strategy
def test_the_same_state_is_the_same_file(strategy: Callable[[], Strategy], tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a", "b", "c")]
    tuner = moved(make_tuner(strategy()))
    save_point(tuner, files[0])
    save_point(tuner, files[1])
    save_point(load_point(files[0]), files[2])
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()


def test_a_point_holds_no_frozen_weight(tmp_path: Path) -> None:
    tuner = make_tuner(LoRA())
    save_point(tuner, tmp_path / "x")
    parameters = dict(tuner.backbone.named_parameters())
    held = set(load_file(tmp_path / "x")) & set(parameters)
    assert held == {name for name, p in parameters.items() if p.requires_grad}


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, 2000, -1000, -1])
def test_a_file_that_is_cut_off_is_refused(point: Path, length: int) -> None:
    point.write_bytes(point.read_bytes()[:length])
    with pytest.raises(WeightsError, match=str(point)):
        load_point(point)


def test_zeros_are_refused(point: Path) -> None:
    point.write_bytes(bytes(point.stat().st_size))
    with pytest.raises(WeightsError):
        load_point(point)


def test_a_missing_file_says_which_setting_keeps_them(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"recorder\.keep"):
        load_point(tmp_path / "none.safetensors")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        load_point(tmp_path)


def test_other_tensors_are_no_point(point: Path) -> None:
    save_file(load_file(point), point)
    with pytest.raises(WeightsError, match="no stored point"):
        load_point(point)


def described(point: Path) -> tuple[str, dict[str, object]]:
    from safetensors import safe_open

    with safe_open(point, framework="pt") as file:
        [(key, text)] = file.metadata().items()
    return key, json.loads(text)


def rewrite(point: Path, change: Callable[[dict[str, object]], object]) -> None:
    key, description = described(point)
    change(description)
    save_file(load_file(point), point, {key: json.dumps(description)})


def set_in(*path: str, value: object) -> Callable[[dict[str, object]], object]:
    def change(description: dict[str, object]) -> None:
        at = description
        for key in path[:-1]:
            at = at[key]  # type: ignore[assignment]  # a dict by construction
        at[path[-1]] = value

    return change


EDITS = {
    "hash": set_in("backbone_sha256", value="0" * 64),
    "strategy": set_in(
        "specification", "strategy", value={"class_path": "robust_tuning.LoRA", "init_args": {}}
    ),
    "classes": set_in("specification", "num_classes", value=7),
    "not a plugin": set_in("specification", "strategy", "class_path", value="os.system"),
    "gone": set_in("specification", "strategy", "class_path", value="gone.Strategy"),
    "no specification": lambda description: description.pop("specification"),
    "a word": set_in("specification", value="word"),
    "an odd argument": set_in("specification", "strategy", "init_args", value={"odd": 1}),
    "an odd key": set_in("specification", "odd", value=1),
}


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_an_edited_description_is_refused(
    change: Callable[[dict[str, object]], object], point: Path
) -> None:
    rewrite(point, change)
    with pytest.raises(WeightsError):
        load_point(point)


def test_a_point_cannot_choose_what_is_called(point: Path, tmp_path: Path) -> None:
    proof = tmp_path / "executed"
    bad = {"class_path": "os.system", "init_args": {"command": f"touch {proof}"}}
    popen = {"class_path": "subprocess.Popen", "init_args": {"args": ["touch", str(proof)]}}
    lora = {"class_path": "robust_tuning.strategies.LoRA", "init_args": {"targets": [bad]}}
    for spec in (bad, popen, lora):
        rewrite(point, set_in("specification", "strategy", value=spec))
        with pytest.raises(WeightsError, match="no plugin"):
            load_point(point)
        assert not proof.exists()


def test_the_pretrained_weights_must_be_the_same(tmp_path: Path) -> None:
    files = [tmp_path / f"{seed}.safetensors" for seed in (0, 1)]
    for seed, file in enumerate(files):
        save_file(make_tuner(seed=seed).backbone.net.state_dict(), file)
    here = BackboneConfig(TINY.name, pretrained=str(files[0]), kwargs=TINY.kwargs)
    tuner = moved(make_tuner(LoRA(), backbone=here))
    save_point(tuner, tmp_path / "point")
    with pytest.raises(WeightsError, match="same weights file"):
        load_point(tmp_path / "point", pretrained=str(files[1]))
    there = files[0].rename(tmp_path / "there.safetensors")
    with pytest.raises(WeightsError, match=r"0\.safetensors"):
        load_point(tmp_path / "point")
    assert torch.equal(logits(load_point(tmp_path / "point", pretrained=str(there))), logits(tuner))


@pytest.mark.slow
@pytest.mark.parametrize(("strategy", "megabytes"), [(LoRA(), 8), (BitFit(), 2)])
def test_points_of_a_vit_base_are_small(strategy: Strategy, megabytes: int, tmp_path: Path) -> None:
    base = BackboneConfig("vit_base_patch16_224", pretrained=False)
    save_point(make_tuner(strategy, backbone=base), tmp_path / "x")
    assert (tmp_path / "x").stat().st_size < megabytes * 1e6
