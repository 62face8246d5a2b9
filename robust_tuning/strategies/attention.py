"""Where timm's attention classes keep the projections of queries, keys and values.

The rows of a joint layer mean what the class's own forward makes of them, which no attribute says:
`[q; k; v]` in most, `[q; k; v]` within every head in some. So the classes are listed, each read
from its source and checked by a test, and an unlisted one is not adapted on a guess.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Layout:
    """How one attention class computes queries, keys and values.

    Attributes:
        layers: Its linear layers, by the letters each computes, in the order of the rows.
        by_head: The rows are ordered by head first and by letter within a head.
        keys_shift: Scores are `q·k` plus what does not depend on `k`, under a softmax over the
            keys: the same vector added to every key then changes nothing.
        scale_free: Letters of which every channel is normalised over the tokens, so that its scale
            does not matter.
    """

    layers: tuple[tuple[str, str], ...]
    by_head: bool = False
    keys_shift: bool = True
    scale_free: str = ""


@dataclass(frozen=True)
class Projection:
    """One linear layer of an attention module, and the rows that belong to each letter.

    Attributes:
        layer: Its name, such as `qkv`.
        letters: What it computes, such as `("q", "k", "v")`.
        sizes: Output features of each letter within a group.
        groups: How many times the letters repeat along the rows: 1, or the number of heads.
    """

    layer: str
    letters: tuple[str, ...]
    sizes: tuple[int, ...]
    groups: int


_JOINT = (("qkv", "qkv"),)
_PAIR = (("q", "q"), ("kv", "kv"))
_APART = (("q", "q"), ("k", "k"), ("v", "v"))
_PROJ = (("q_proj", "q"), ("k_proj", "k"), ("v_proj", "v"))

_LAYOUTS = {
    "timm.layers.attention.Attention": Layout(_JOINT),
    "timm.layers.attention.AttentionRope": Layout(_JOINT, keys_shift=False),
    "timm.models.vision_transformer.Attention": Layout(_JOINT),  # its home in older releases
    "timm.models.vision_transformer_relpos.RelPosAttention": Layout(_JOINT),
    "timm.models.vision_transformer_sam.Attention": Layout(_JOINT),
    "timm.models.beit.Attention": Layout(_JOINT),
    "timm.models.eva.EvaAttention": Layout(_JOINT, keys_shift=False),
    "timm.models.swin_transformer.WindowAttention": Layout(_JOINT),
    "timm.models.swin_transformer_v2.WindowAttention": Layout(_JOINT, keys_shift=False),
    "timm.models.swin_transformer_v2_cr.WindowMultiHeadAttention": Layout(_JOINT, keys_shift=False),
    "timm.models.maxxvit.AttentionCl": Layout(_JOINT),
    "timm.models.tiny_vit.Attention": Layout(_JOINT, by_head=True),
    "timm.models.nest.Attention": Layout(_JOINT),
    "timm.models.gcvit.WindowAttentionGlobal": Layout(_JOINT),
    "timm.models.hiera.MaskUnitAttention": Layout(_JOINT),
    "timm.models.hieradet_sam2.MultiScaleAttention": Layout(_JOINT),
    "timm.models.mvitv2.MultiScaleAttention": Layout(_JOINT),
    "timm.models.davit.WindowAttention": Layout(_JOINT),
    "timm.models.davit.ChannelAttention": Layout(_JOINT, keys_shift=False),
    "timm.models.davit.ChannelAttentionV2": Layout(_JOINT, keys_shift=False),
    "timm.models.xcit.XCA": Layout(_JOINT, keys_shift=False, scale_free="qk"),
    "timm.models.cait.TalkingHeadAttn": Layout(_JOINT),
    "timm.models.cait.ClassAttn": Layout(_APART),
    "timm.models.convit.MHSA": Layout(_JOINT),
    "timm.models.convit.GPSA": Layout((("qk", "qk"), ("v", "v"))),
    "timm.models.volo.Attention": Layout(_JOINT),
    "timm.models.volo.ClassAttention": Layout(_PAIR),
    "timm.models.pvt_v2.Attention": Layout(_PAIR),
    "timm.models.twins.LocallyGroupedAttn": Layout(_JOINT),
    "timm.models.twins.GlobalSubSampleAttn": Layout(_PAIR),
    # Outside transformer blocks: of interest for `inert_biases` alone.
    "timm.layers.attention_pool.AttentionPoolLatent": Layout(_PAIR),
    "timm.models.crossvit.CrossAttention": Layout((("wq", "q"), ("wk", "k"), ("wv", "v"))),
    "timm.models.efficientformer.Attention": Layout(_JOINT, by_head=True),
    "timm.models.fastvit.Attention": Layout(_JOINT),
    "timm.models.metaformer.Attention": Layout(_JOINT),
}

# Biases added alike to the scores of all keys.
_ADDED_TO_SCORES = {
    "timm.layers.pos_embed_rel.RelPosMlp": "mlp.fc2.bias",
    "timm.models.swin_transformer_v2_cr.WindowMultiHeadAttention": "meta_mlp.fc2.bias",
    "timm.models.cait.TalkingHeadAttn": "proj_l.bias",
    "timm.models.convit.GPSA": "pos_proj.bias",
}


def layout_of(attention: nn.Module) -> Layout | None:
    """The layout of an attention module, or None if its class is not listed.

    A subclass of a listed class counts as that class while it keeps its forward.
    """
    for base in type(attention).__mro__:
        layout = _LAYOUTS.get(f"{base.__module__}.{base.__qualname__}")
        if layout is not None:
            kept = type(attention).forward is vars(base)["forward"]
            return layout if kept else None
    return None


def projections_of(attention: nn.Module) -> tuple[Projection, ...] | None:
    """The projections of an attention module as timm built it, or None if it is not understood."""
    layout = layout_of(attention)
    if layout is None:
        return None
    layers = _PROJ if getattr(attention, "q_proj", None) is not None else layout.layers
    if getattr(attention, "use_global", False):  # GCViT's queries come from the whole image
        layers = (("qkv", "kv"),)
    by_head = layout.by_head or getattr(attention, "head_first", False)
    found = []
    for layer, letters in layers:
        linear = getattr(attention, layer, None)
        if not isinstance(linear, nn.Linear):
            return None
        groups = _number(attention, "num_heads") if by_head else 1
        sizes = _sizes(attention, letters, linear.out_features // groups)
        if sum(sizes) * groups != linear.out_features:
            return None
        found.append(Projection(layer, tuple(letters), sizes, groups))
    return tuple(found)


def _sizes(attention: nn.Module, letters: str, rows: int) -> tuple[int, ...]:
    if hasattr(attention, "val_dim"):  # TinyViT's values may be wider than its keys
        attributes = {"q": "key_dim", "k": "key_dim", "v": "val_dim"}
        return tuple(_number(attention, attributes[letter]) for letter in letters)
    return (rows // len(letters),) * len(letters)


def _number(attention: nn.Module, attribute: str) -> int:
    return int(getattr(attention, attribute))


def inert_biases(net: nn.Module) -> Iterator[tuple[str, str]]:
    """Biases that the softmax of an attention leaves without effect, hence without a gradient.

    Args:
        net: A network as timm built it.

    Yields:
        The parameter's name, and `[key]` where only the key's part of it is meant.
    """
    for path, module in net.named_modules():
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        if kind in _ADDED_TO_SCORES:
            yield f"{path}.{_ADDED_TO_SCORES[kind]}", ""
        layout = layout_of(module)
        if layout is not None and layout.keys_shift and getattr(module, "rope", None) is None:
            yield from ((f"{path}.{name}", part) for name, part in _key_biases(module))


def _key_biases(attention: nn.Module) -> Iterator[tuple[str, str]]:
    """The last bias on the way to the keys: of their norm, or else of their projection."""
    for name in ("k_norm", "norm_k"):
        if not isinstance(getattr(attention, name, None), nn.Identity | None):
            yield f"{name}.bias", ""
            return
    for projection in projections_of(attention) or ():
        if "k" in projection.letters:
            yield f"{projection.layer}.bias", "[key]" if len(projection.letters) > 1 else ""
