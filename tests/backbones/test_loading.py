import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from timm.data import resolve_model_data_config
from torch import Tensor

from robust_tuning.backbones import Backbone, BackboneConfig, create_backbone
from robust_tuning.data import ImageArrays
from robust_tuning.errors import ConfigurationError, WeightsError
from robust_tuning.types import Split


def pretend_pretrained(name: str = "test_vit", classes: int = 1000) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        state: dict[str, Tensor] = timm.create_model(name, num_classes=classes).state_dict()
    return state


def body_equals(state: dict[str, Tensor], config: BackboneConfig) -> bool:
    backbone = create_backbone(config, 3)
    return all(
        torch.equal(tensor, state[name.removeprefix("net.")].float())
        for name, tensor in backbone.state_dict().items()
        if not backbone.is_head(name)
    )


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("vit_tiny_patch16_224.augreg_in21k_ft_in1k", None),
        ("test_resnet", None),
        ("test_vit", 64),
        ("test_resnet", 48),
    ],
)
def test_normalisation_and_size_come_from_timms_configuration(name: str, size: int | None) -> None:
    backbone = create_backbone(BackboneConfig(name, pretrained=False, image_size=size), 3)
    expected = resolve_model_data_config(timm.create_model(name))
    assert backbone.normalize.mean.flatten().tolist() == pytest.approx(expected["mean"])
    assert backbone.normalize.std.flatten().tolist() == pytest.approx(expected["std"])
    side = size or expected["input_size"][-1]
    assert backbone.resize.size == (side, side)
    with torch.no_grad():
        assert backbone.eval()(torch.rand(1, 3, 50, 50)).shape == (1, 3)


def test_the_seed_decides_the_head_and_the_weights_file_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "vit.safetensors"
    save_file(pretend_pretrained(), file)
    config = BackboneConfig("test_vit", pretrained=str(file))
    one, same, other = (create_backbone(config, 3, seed=seed) for seed in (0, 0, 1))
    weight = [dict(model.head_parameters())["net.head.weight"] for model in (one, same, other)]
    assert torch.equal(weight[0], weight[1])
    assert not torch.equal(weight[0], weight[2])
    assert one.identity == other.identity


def test_the_seed_decides_everything_without_weights() -> None:
    config = BackboneConfig("test_vit", pretrained=False)
    hashes = [create_backbone(config, 3, seed=seed).identity.sha256 for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_building_leaves_the_random_states_alone() -> None:
    before = (torch.get_rng_state(), random.getstate(), repr(np.random.get_state()))
    create_backbone(BackboneConfig("test_vit", pretrained=False), 3, seed=5)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), repr(np.random.get_state())) == before[1:]


def test_the_identity_is_that_of_the_body(tmp_path: Path) -> None:
    state = pretend_pretrained()
    file = tmp_path / "vit.safetensors"
    config = BackboneConfig("test_vit", pretrained=str(file))
    found = []
    for change in (None, "head.weight", "blocks.0.mlp.fc1.weight"):
        changed = {name: tensor.clone() for name, tensor in state.items()}
        if change:
            changed[change].view(-1)[0] += 1
        save_file(changed, file)
        found.append(create_backbone(config, 3).identity.sha256)
    assert found[0] == found[1] != found[2]
    save_file(state, file)
    assert create_backbone(config, 10).identity.sha256 == found[0], "any number of classes"


def test_half_precision_files_become_float32(tmp_path: Path) -> None:
    state = {name: tensor.half() for name, tensor in pretend_pretrained().items()}
    file = tmp_path / "half.safetensors"
    save_file(state, file)
    config = BackboneConfig("test_vit", pretrained=str(file))
    assert body_equals(state, config)
    dtypes = {tensor.dtype for tensor in create_backbone(config, 3).state_dict().values()}
    assert dtypes == {torch.float32}


def test_a_file_replaces_weights_that_were_published_in_a_format_of_their_own(
    tmp_path: Path,
) -> None:
    name = "vit_tiny_patch16_224"
    assert timm.get_pretrained_cfg(name).custom_load, "timm's own weights are JAX arrays"
    state = pretend_pretrained(name)
    save_file(state, tmp_path / "own.safetensors")
    config = BackboneConfig(name, pretrained=str(tmp_path / "own.safetensors"))
    assert body_equals(state, config)
    settings: Any = create_backbone(config, 3).net.pretrained_cfg
    assert not settings["custom_load"]


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
@pytest.mark.parametrize("wrap", ["plain", "state_dict", "module", "model"])
def test_pth_files_load_however_they_are_wrapped(tmp_path: Path, name: str, wrap: str) -> None:
    state = pretend_pretrained(name)
    file = tmp_path / "weights.pth"
    prefixed = {f"module.{key}": tensor for key, tensor in state.items()}
    content: dict[str, Any] = {
        "plain": state,
        "state_dict": {"state_dict": state, "epoch": 3},
        "module": {"state_dict": prefixed},
        "model": {"model": state},
    }
    torch.save(content[wrap], file)
    assert body_equals(state, BackboneConfig(name, pretrained=str(file)))


def test_a_file_with_as_many_classes_brings_its_head_along(tmp_path: Path) -> None:
    file = tmp_path / "vit.safetensors"
    state = pretend_pretrained(classes=3)
    save_file(state, file)
    backbone = create_backbone(BackboneConfig("test_vit", pretrained=str(file)), 3)
    loaded = dict(backbone.named_parameters())["net.head.weight"]
    # A seeded head or the file's: either is right, but it must not be half of each.
    assert loaded.shape == (3, 64)


def test_another_size_resizes_the_position_embedding(tmp_path: Path) -> None:
    file = tmp_path / "vit.safetensors"
    state = pretend_pretrained()
    save_file(state, file)
    config = BackboneConfig("test_vit", pretrained=str(file), image_size=96)
    parameters = dict(create_backbone(config, 3).named_parameters())
    assert parameters["net.pos_embed"].shape[1] == 1 + 6 * 6
    assert torch.equal(
        parameters["net.blocks.0.attn.qkv.weight"], state["blocks.0.attn.qkv.weight"]
    )


@pytest.mark.parametrize("classes", [3, 1000])
@pytest.mark.parametrize(
    ("stored", "asked"), [("test_resnet", "test_vit"), ("test_vit", "test_resnet")]
)
def test_a_file_of_another_network_is_refused(
    tmp_path: Path, stored: str, asked: str, classes: int
) -> None:
    file = tmp_path / "other.safetensors"
    save_file(pretend_pretrained(stored), file)
    with pytest.raises(WeightsError, match=rf"{file}.* {asked}"):
        create_backbone(BackboneConfig(asked, pretrained=str(file)), classes)


@pytest.mark.parametrize("classes", [3, 1000])
def test_a_file_that_lacks_a_layer_is_refused(tmp_path: Path, classes: int) -> None:
    state = pretend_pretrained()
    del state["blocks.0.attn.qkv.weight"]
    file = tmp_path / "partial.safetensors"
    save_file(state, file)
    with pytest.raises(WeightsError, match=r"blocks\.0\.attn\.qkv\.weight"):
        create_backbone(BackboneConfig("test_vit", pretrained=str(file)), classes)


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
@pytest.mark.parametrize("content", [b"", b"<html>404</html>", b"\x08" + bytes(40)])
def test_a_file_that_is_no_weights_is_refused(tmp_path: Path, ending: str, content: bytes) -> None:
    file = tmp_path / f"bad.{ending}"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match=rf"the weights in {file} do not load into test_vit"):
        create_backbone(BackboneConfig("test_vit", pretrained=str(file)), 3)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cut.safetensors"
    save_file(pretend_pretrained(), file)
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="do not load into test_vit"):
        create_backbone(BackboneConfig("test_vit", pretrained=str(file)), 3)


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (trap,))

    file = tmp_path / "trap.pth"
    torch.save({"state_dict": Trap()}, file)
    with pytest.raises(WeightsError, match="do not load"):
        create_backbone(BackboneConfig("test_vit", pretrained=str(file)), 3)
    assert not trap.exists()


@pytest.mark.parametrize("path", ["nowhere.safetensors", "~/nowhere.pth", "."])
def test_a_missing_file_is_named(path: str) -> None:
    with pytest.raises(
        WeightsError, match="there is no such file; expected true, false or the path"
    ):
        create_backbone(BackboneConfig("test_vit", pretrained=path), 3)


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vit_bsae_patch16_224", "similar names: .*vit_base_patch16_224"),
        (
            "vit_base_patch16_224.augreg_in22k",
            r"similar names: .*vit_base_patch16_224\.augreg_in21k",
        ),
        ("zzz", r"timm\.list_models"),
    ],
)
def test_an_unknown_name_meets_with_similar_ones(name: str, words: str, pretrained: bool) -> None:
    with pytest.raises(ConfigurationError, match=rf"backbone.name is '{name}'.*{words}"):
        create_backbone(BackboneConfig(name, pretrained=pretrained), 3)


def test_an_argument_that_the_network_does_not_take_is_named() -> None:
    config = BackboneConfig("test_vit", pretrained=False, kwargs={"wings": 2})
    with pytest.raises(
        ConfigurationError, match=r"test_vit does not take these arguments: .*wings"
    ):
        create_backbone(config, 3)


def test_arguments_reach_the_network() -> None:
    config = BackboneConfig("test_vit", pretrained=False, kwargs={"depth": 2})
    names = [name for name, _ in create_backbone(config, 3).named_parameters()]
    assert any("blocks.1." in name for name in names)
    assert not any("blocks.2." in name for name in names)


def class_token(backbone: Backbone, images: Tensor) -> Tensor:
    net: Any = backbone.net
    token: Tensor = net.forward_features(backbone.normalize(backbone.prepare(images)))[:, 0]
    return token


@pytest.mark.real_data
@pytest.mark.slow
def test_the_real_vit_knows_real_photographs_at_any_size(real_data: Path) -> None:
    weights = str(real_data / "vit_tiny_patch16_224.in1k.fp16.safetensors")
    data = ImageArrays(str(real_data / "cifar10_lossless_train4000_test1000.npz"))
    name = "vit_tiny_patch16_224"
    full = create_backbone(BackboneConfig(name, weights), 10).eval()
    assert full.normalize.mean.flatten().tolist() == pytest.approx([0.5] * 3)
    small = create_backbone(BackboneConfig(name, weights, image_size=96), 10).eval()
    assert full.identity.sha256 != small.identity.sha256, "its position embedding was resized"
    with torch.no_grad():
        assert full(torch.rand(1, 3, 224, 224)).isfinite().all()
        assert small(torch.rand(1, 3, 96, 96)).isfinite().all()
    probed = create_backbone(BackboneConfig(name, weights, image_size=128), 10).eval()
    splits: tuple[tuple[Split, int], ...] = (("train", 1000), ("test", 300))
    features, labels = [], []
    for split, n in splits:
        batches = list(data.evaluation_loader(data.evaluation_examples(split, n)))
        with torch.no_grad():
            features.append(torch.cat([class_token(probed, batch.images) for batch in batches]))
        labels.append(torch.cat([batch.labels for batch in batches]))
    probe = LogisticRegression(C=0.1, max_iter=500).fit(features[0].numpy(), labels[0].numpy())
    assert probe.score(features[1].numpy(), labels[1].numpy()) > 0.75


def test_a_file_without_the_batch_norms_statistics_is_refused(tmp_path: Path) -> None:
    net = create_backbone(BackboneConfig("resnet10t", pretrained=False), 3).net
    state = {name: t for name, t in net.state_dict().items() if "running_var" not in name}
    file = tmp_path / "cut.safetensors"
    save_file(state, file)
    with pytest.raises(WeightsError, match="not the statistics of its batch norms"):
        create_backbone(BackboneConfig("resnet10t", pretrained=str(file)), 5)
