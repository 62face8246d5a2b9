"""Write what adapter-hub's ViT computes, for tests that run without that library.

    pip install adapters==1.3.0 && python -m tests.oracles.make_adapter_hub_golden

The library pins an old transformers, so it wants an environment of its own.
"""

from pathlib import Path

import torch
from adapters import BnConfig, CompacterConfig, IA3Config, LoRAConfig, ViTAdapterModel
from safetensors.torch import save_file
from torch import Tensor
from transformers import ViTConfig

from tests.oracles import adapter_hub as small

FOLDER = Path(__file__).parent / "adapter_hub"

CONFIGS = {
    "lora": LoRAConfig(
        selfattn_lora=True,
        intermediate_lora=True,
        output_lora=True,
        attn_matrices=["q", "k", "v"],
        r=4,
        alpha=6,
    ),
    "ia3": IA3Config(output_lora=True),
    "adapter": BnConfig(
        mh_adapter=True, output_adapter=True, reduction_factor=8, non_linearity="gelu"
    ),
    "compacter": CompacterConfig(reduction_factor=4, phm_dim=4, phm_rank=2),
}


def library_vit(strategy: str | None, seed: int = 0) -> ViTAdapterModel:
    """The library's model in float64, every parameter random, the pretrained ones as without."""
    config = ViTConfig(
        hidden_size=small.WIDTH,
        num_hidden_layers=small.LAYERS,
        num_attention_heads=small.HEADS,
        intermediate_size=small.HIDDEN,
        image_size=small.IMAGE,
        patch_size=small.PATCH,
        layer_norm_eps=1e-12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = ViTAdapterModel(config)
    model.add_image_classification_head("default", num_labels=small.CLASSES, layers=1)
    generator = torch.Generator().manual_seed(seed)
    _randomise(dict(model.named_parameters()), generator)
    if strategy is not None:
        before = set(model.state_dict())
        model.add_adapter("default", config=CONFIGS[strategy])
        model.set_active_adapters("default")
        new = {n: p for n, p in model.named_parameters() if n not in before}
        _randomise(new, generator)
    model.active_head = "default"
    return model.double().eval()


def _randomise(parameters: dict[str, torch.nn.Parameter], generator: torch.Generator) -> None:
    # Drawn in float32, so that the files can hold them in float32 without loss.
    with torch.no_grad():
        for name, parameter in sorted(parameters.items()):
            spread = 0.3 if parameter.ndim > 1 else 0.5
            scale = parameter.shape[-1:] == (1,) or ("norm" in name and name.endswith("weight"))
            centre = 1.0 if scale else 0.0
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(centre + spread * noise)


def library_logits(model: ViTAdapterModel, images: Tensor) -> Tensor:
    """The logits of the classification head, float64."""
    with torch.no_grad():
        logits: Tensor = model(pixel_values=images).logits
    return logits


def main() -> None:
    """Write the golden files."""
    FOLDER.mkdir(exist_ok=True)
    shape = (3, 3, small.IMAGE, small.IMAGE)
    images = torch.randn(shape, generator=torch.Generator().manual_seed(7)).double()
    plain = library_vit(None)
    pretrained = {n: t.float() for n, t in plain.state_dict().items() if small.corresponds(n)}
    tensors = {**pretrained, "images": images.float(), "logits": library_logits(plain, images)}
    save_file(tensors, FOLDER / "vit.safetensors")
    for strategy in CONFIGS:
        model = library_vit(strategy)
        new = model.state_dict().keys() - plain.state_dict().keys()
        state = {name: model.state_dict()[name].float() for name in new}
        state["logits"] = library_logits(model, images)
        save_file(state, FOLDER / f"{strategy}.safetensors")


if __name__ == "__main__":
    main()
