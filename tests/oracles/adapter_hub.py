"""The same small ViT in adapter-hub's library and here, and the names that correspond."""

from functools import partial
from typing import cast

import torch
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from robust_tuning.backbones import Backbone, BackboneConfig, create_backbone
from robust_tuning.strategies import IA3, Adapter, Compacter, LoRA, Strategy

LAYERS, HEADS, WIDTH, HIDDEN, IMAGE, PATCH, CLASSES = 2, 2, 32, 64, 16, 8, 5

# Sizes unlike the defaults where they enter the formulas: a scale of 1.5, a rank of 2.
STRATEGIES: dict[str, Strategy] = {
    "lora": LoRA(rank=4, alpha=6),
    "ia3": IA3(),
    "adapter": Adapter(reduction_factor=8),
    "compacter": Compacter(reduction_factor=4, n=4, rank=2),
}


def adapted_network(strategy: Strategy, theirs: dict[str, Tensor]) -> VisionTransformer:
    """Our network with the library's weights, in float64."""
    model = small_vit()
    strategy.adapt(model)
    ours = {_ours(key): value for key, value in theirs.items() if corresponds(key)}
    for layer in range(LAYERS):
        for kind in ("weight", "bias"):
            _place(ours, model.net, layer, kind)
    model.net.double()
    model.net.load_state_dict(ours)
    return cast("VisionTransformer", model.net.eval())


def small_vit() -> Backbone:
    settings = {
        "patch_size": PATCH,
        "embed_dim": WIDTH,
        "depth": LAYERS,
        "num_heads": HEADS,
        "mlp_ratio": HIDDEN / WIDTH,
        # The library's; timm's 1e-6 would cost seven digits of agreement.
        "norm_layer": partial(nn.LayerNorm, eps=1e-12),
    }
    config = BackboneConfig("vit_tiny_patch16_224", False, IMAGE, kwargs=settings)
    return create_backbone(config, CLASSES)


_PARTS = {
    "attention.attention.query": "attn.qkv.q",
    "attention.attention.key": "attn.qkv.k",
    "attention.attention.value": "attn.qkv.v",
    "attention.output.dense": "attn.proj",
    "layernorm_before": "norm1",
    "layernorm_after": "norm2",
    "intermediate.dense": "mlp.fc1",
    "output.dense": "mlp.fc2",
    "attention_adapters.adapters.default": "drop_path1.adapter",
    "output.output_adapters.adapters.default": "drop_path2.adapter",
}
_LEAVES = {
    "loras.default.lora_A": "lora_A.default.weight",
    "loras.default.lora_B": "lora_B.default.weight",
    "adapter_down.0.W_left": "down.left",
    "adapter_down.0.W_right": "down.right",
    "adapter_down.0.b": "down.bias",
    "adapter_down.0.weight": "down.weight",
    "adapter_down.0.bias": "down.bias",
    "adapter_up.W_left": "up.left",
    "adapter_up.W_right": "up.right",
    "adapter_up.b": "up.bias",
    "adapter_up.weight": "up.weight",
    "adapter_up.bias": "up.bias",
}
_ELSEWHERE = {
    "vit.embeddings.cls_token": "cls_token",
    "vit.embeddings.position_embeddings": "pos_embed",
    "vit.embeddings.patch_embeddings.projection.weight": "patch_embed.proj.weight",
    "vit.embeddings.patch_embeddings.projection.bias": "patch_embed.proj.bias",
    "vit.layernorm.weight": "norm.weight",
    "vit.layernorm.bias": "norm.bias",
    "vit.shared_parameters.default.phm_rule": "kronecker_rule.weight",
    "heads.default.1.weight": "head.weight",
    "heads.default.1.bias": "head.bias",
}


def corresponds(theirs: str) -> bool:
    """Whether a tensor of the library's model has a part in the logits."""
    return "pooler" not in theirs and "prompt_tuning" not in theirs


def _ours(key: str) -> str:
    if key in _ELSEWHERE:
        return _ELSEWHERE[key]
    layer, _, rest = key.removeprefix("vit.encoder.layer.").partition(".")
    part = max((part for part in _PARTS if rest.startswith(f"{part}.")), key=len)
    leaf = rest.removeprefix(f"{part}.")
    return f"blocks.{layer}.{_PARTS[part]}.{_LEAVES.get(leaf, leaf)}"


def _place(ours: dict[str, Tensor], net: nn.Module, layer: int, kind: str) -> None:
    """Give the pretrained weights and (IA)³'s scales the names that the strategy gave them."""
    expected = net.state_dict()
    joint = [f"blocks.{layer}.attn.qkv.{letter}.{kind}" for letter in "qkv"]
    if f"blocks.{layer}.attn.qkv.{kind}" in expected:
        ours[f"blocks.{layer}.attn.qkv.{kind}"] = torch.cat([ours.pop(name) for name in joint])
    for part in ("attn.qkv.q", "attn.qkv.k", "attn.qkv.v", "mlp.fc1", "mlp.fc2"):
        name = f"blocks.{layer}.{part}"
        if f"{name}.base_layer.{kind}" in expected:
            ours[f"{name}.base_layer.{kind}"] = ours.pop(f"{name}.{kind}")
        if f"{name}.ia3_l.default" in expected and f"{name}.lora_B.default.weight" in ours:
            ours[f"{name}.ia3_l.default"] = ours.pop(f"{name}.lora_B.default.weight")
