import importlib.util
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pytest
import timm
import torch
from PIL import ImageFont
from safetensors.torch import load_file
from sklearn.datasets import load_digits
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn
from torch.nn import functional

from robust_tuning.backbones.glyph_vit import WEIGHTS_FILE

NAME = "glyph_vit_patch8_32"
ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "pretrain_glyph_vit.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pretrain_glyph_vit", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # small operations by the thousand: a second thread only waits
    yield
    torch.set_num_threads(before)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        message = f"a connection was opened: {arguments}"
        raise AssertionError(message)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def stock_model() -> VisionTransformer:
    return VisionTransformer(
        img_size=32,
        patch_size=8,
        embed_dim=128,
        depth=4,
        num_heads=4,
        mlp_ratio=2,
        num_classes=47,
    )


def test_the_file_is_small_and_holds_the_stock_keys_as_halves() -> None:
    stored = load_file(WEIGHTS_FILE)
    shapes = {name: value.shape for name, value in stock_model().state_dict().items()}
    assert {name: value.shape for name, value in stored.items()} == shapes
    assert {value.dtype for value in stored.values()} == {torch.float16}
    assert 0.9e6 < WEIGHTS_FILE.stat().st_size <= 1.3e6


@pytest.mark.usefixtures("offline")
def test_timm_loads_the_file_into_a_stock_float32_model_without_a_network() -> None:
    model = timm.create_model(NAME, pretrained=True)
    assert type(model) is VisionTransformer
    for name, value in load_file(WEIGHTS_FILE).items():
        loaded = model.state_dict()[name]
        assert loaded.dtype == torch.float32
        assert torch.equal(loaded, value.float()), name
    # The same function as timm's own class, so nothing but the sizes was chosen here.
    reference = stock_model().eval()
    reference.load_state_dict(model.state_dict())
    images = torch.rand(3, 3, 32, 32)
    assert torch.equal(model.eval()(images), reference(images))


@pytest.mark.usefixtures("offline")
def test_another_head_is_new_and_the_rest_is_pretrained() -> None:
    model = timm.create_model(NAME, pretrained=True, num_classes=10)
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    for name, value in load_file(WEIGHTS_FILE).items():
        assert name.startswith("head.") or torch.equal(model.state_dict()[name], value.float())


@pytest.mark.usefixtures("offline")
def test_other_sizes_and_channels_are_adapted() -> None:
    large = timm.create_model(NAME, pretrained=True, img_size=64, num_classes=5)
    assert large.pos_embed.shape == (1, 65, 128)
    assert large(torch.rand(2, 3, 64, 64)).shape == (2, 5)
    grey = timm.create_model(NAME, pretrained=True, in_chans=1, num_classes=0).eval()
    colour = timm.create_model(NAME, pretrained=True, num_classes=0).eval()
    image = torch.rand(2, 1, 32, 32)
    expanded = image.expand(-1, 3, -1, -1)
    # timm adds the three channels up while they are float16.
    torch.testing.assert_close(grey(image), colour(expanded), rtol=0, atol=5e-3)


def test_the_configuration_says_how_images_are_prepared() -> None:
    settings = timm.data.resolve_model_data_config(timm.create_model(NAME))
    assert settings["input_size"] == (3, 32, 32)
    assert settings["mean"] == settings["std"] == (0.5, 0.5, 0.5)
    assert settings["interpolation"] == "bilinear"
    assert settings["crop_pct"] == 1.0


def test_distance_is_euclidean(script: ModuleType) -> None:
    mask = torch.rand(64, 64, generator=torch.Generator().manual_seed(0)) < 0.01
    everywhere = torch.ones_like(mask).nonzero().double()
    expected = torch.cdist(everywhere, mask.nonzero().double()).amin(1).view(64, 64)
    torch.testing.assert_close(script.distance(mask), expected.float())


def test_glyphs_are_centred_and_of_one_size(script: ModuleType) -> None:
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    for name in script.FONTS:
        font = ImageFont.truetype(folder / f"{name}.ttf", 96)
        for character in "".join(script.CLASSES):
            rows, columns = script.draw(character, font).nonzero()
            middles = [(side.min() + side.max() + 1) / 2 for side in (rows, columns)]
            assert middles == pytest.approx([script.CANVAS / 2] * 2, abs=1), (name, character)
            longest = max(np.ptp(rows), np.ptp(columns)) + 1
            assert longest == pytest.approx(script.BODY, abs=2), (name, character)


@pytest.mark.usefixtures("one_thread")
def test_the_shipped_weights_read_what_the_script_draws(script: ModuleType) -> None:
    model = timm.create_model(NAME, pretrained=True).eval()
    glyphs = script.load_glyphs()
    images, labels = script.render(glyphs, 512, torch.Generator().manual_seed(1_000_003))
    again, _ = script.render(glyphs, 512, torch.Generator().manual_seed(1_000_003))
    assert torch.equal(images, again)
    assert images.shape == (512, 3, 32, 32)
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.mean() < 0.5  # light strokes on a dark ground
    assert set(labels.tolist()) == set(range(len(script.CLASSES)))
    with torch.no_grad():
        read = model((images - 0.5) / 0.5).argmax(1)
    assert (read == labels).float().mean() > 0.75


@pytest.mark.slow
def test_the_script_writes_the_same_bytes_again_and_needs_no_handwriting(tmp_path: Path) -> None:
    # A package of that name first on the path stands for scikit-learn and its digits.
    (tmp_path / "sklearn.py").write_text("raise ImportError('scikit-learn is not to be used')\n")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    files = [tmp_path / "first.safetensors", tmp_path / "second.safetensors"]
    for file in files:
        command = [sys.executable, str(SCRIPT), "--steps", "2", "--output", str(file)]
        subprocess.run(command, check=True, env=environment, cwd=tmp_path)
        # What the script sets for itself is set from the start here: it must come early enough.
        environment |= {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2"}
        environment |= {"ONEDNN_MAX_CPU_ISA": "AVX2", "OMP_NUM_THREADS": "1"}
    assert files[0].read_bytes() == files[1].read_bytes()
    assert not list(tmp_path.glob("*.partial"))
    assert set(load_file(files[0])) == set(load_file(WEIGHTS_FILE))


def digits() -> tuple[Tensor, Tensor]:
    bunch = load_digits()
    images = torch.from_numpy(bunch.images).float()[:, None] / 16
    large = functional.interpolate(images, (32, 32), mode="bilinear")
    return large.expand(-1, 3, -1, -1) * 2 - 1, torch.from_numpy(bunch.target)


def fine_tune(model: nn.Module, images: Tensor, labels: Tensor, peak: float, seed: int) -> None:
    steps, rng = 100, torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(model.parameters())
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = peak * min(1, (step + 1) / 10) * (1 - step / steps)
        batch = torch.randperm(len(labels), generator=rng)[:32]
        optimiser.zero_grad()
        torch.autograd.backward(functional.cross_entropy(model(images[batch]), labels[batch]))
        optimiser.step()


def accuracy_from_100(*, pretrained: bool, peak: float) -> float:
    images, labels = digits()
    total = 0.0
    for seed in range(3):
        torch.manual_seed(seed)
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        train, test = order[:100], order[100:800]
        model = timm.create_model(NAME, pretrained=pretrained, num_classes=10)
        fine_tune(model, images[train], labels[train], peak, seed)
        with torch.no_grad():
            total += (model(images[test]).argmax(1) == labels[test]).float().mean().item()
    return total / 3


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_from_100_digits_it_learns_far_more_than_a_random_initialisation() -> None:
    # A learning rate that suits the random one better than 3e-4 does, and the pretrained one worse.
    pretrained, random = (accuracy_from_100(pretrained=p, peak=1e-3) for p in (True, False))
    assert pretrained > 0.88
    assert pretrained - random > 0.2
