"""Pretrain the quickstart backbone on rendered glyphs and write its weights.

    python scripts/pretrain_glyph_vit.py --output glyph_vit_patch8_32.safetensors

The upstream task is to name a letter or digit of a printed font after strong distortions. The
glyphs come from the fonts that matplotlib carries; no photograph, scan or handwritten image is
used. Everything follows from one seed, on one thread and one instruction set, so a second run with
the same library versions writes the same bytes.
"""

import argparse
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from robust_tuning.backbones.glyph_vit import glyph_vit_patch8_32

FONTS = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmb10", "cmti10", "cmss10", "cmtt10", "cmmi10"),
)
# Upper and lower case share a class where they differ by size alone: size is normalised away.
CLASSES = (
    *"0123456789",
    *("A", "B", "Cc", "D", "E", "F", "G", "H", "Ii", "Jj", "Kk", "Ll", "Mm", "N", "Oo", "Pp"),
    *("Q", "R", "Ss", "T", "Uu", "Vv", "Ww", "Xx", "Yy", "Zz"),
    *"abdefghnqrt",
)
CANVAS = 64  # pixels of a stored glyph
BODY = 44  # its longer side on the canvas: the margin leaves room for thicker strokes
IMAGE = 32  # pixels that the model sees

# Sums are fused and ordered differently from one instruction set to the next; this one is common to
# x86 processors. The libraries read these names at their first computation, not at their import.
INSTRUCTION_SET = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "AVX2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
}


@dataclass(frozen=True)
class Glyphs:
    """Every character of every font.

    Attributes:
        fields: Signed distance to the outline in canvas pixels, positive inside, float32
            ``(N, 1, CANVAS, CANVAS)``. Adding to it thickens the strokes.
        radii: Half the width of the thickest stroke in canvas pixels, ``(N,)``.
        labels: Class of each glyph, int64 ``(N,)``.
    """

    fields: Tensor
    radii: Tensor
    labels: Tensor


def draw(character: str, font: ImageFont.FreeTypeFont) -> NDArray[np.bool_]:
    """Draw a character in the middle of the canvas, its longer side scaled to ``BODY`` pixels."""
    left, top, right, bottom = font.getbbox(character)
    ink = Image.new("L", (int(right - left) + 2, int(bottom - top) + 2))
    ImageDraw.Draw(ink).text((1 - left, 1 - top), character, fill=255, font=font)
    ink = ink.crop(ink.getbbox())
    width, height = (max(2, round(side * BODY / max(ink.size))) for side in ink.size)
    canvas = Image.new("L", (CANVAS, CANVAS))
    scaled = ink.resize((width, height), Image.Resampling.BILINEAR)
    canvas.paste(scaled, ((CANVAS - width) // 2, (CANVAS - height) // 2))
    return np.asarray(canvas) > 127


def distance(mask: Tensor) -> Tensor:
    """Euclidean distance of every canvas pixel to the nearest true one, one axis at a time."""
    steps = torch.arange(CANVAS, dtype=torch.float32)
    squares = (steps[:, None] - steps[None, :]).square()
    nearest = torch.where(mask, 0.0, 1e6)
    for _ in range(2):
        nearest = (nearest + squares[:, :, None]).amin(1).T
    return nearest.sqrt()


def load_glyphs() -> Glyphs:
    """Draw every character of every font; each class has the same number of glyphs."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    fields, labels = [], []
    for name in FONTS:
        font = ImageFont.truetype(folder / f"{name}.ttf", 96)
        for label, characters in enumerate(CLASSES):
            for character in (characters * 2)[:2]:
                mask = torch.from_numpy(draw(character, font))
                fields.append(distance(~mask) - distance(mask))
                labels.append(label)
    stacked = torch.stack(fields)
    return Glyphs(stacked[:, None], stacked.amax((1, 2)), torch.tensor(labels))


def uniform(low: float, high: float, shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    """Uniform random numbers in ``[low, high)``."""
    return low + (high - low) * torch.rand(shape, generator=rng)


def warp(n: int, rng: torch.Generator) -> Tensor:
    """Random places to sample a canvas at: affine, perspective, then elastic at two scales.

    Returns:
        Coordinates in [-1, 1] as ``grid_sample`` takes them, ``(n, IMAGE, IMAGE, 2)``.
    """
    turn, slant = uniform(-0.3, 0.3, (n,), rng), uniform(-0.4, 0.4, (n,), rng)
    # At BODY / CANVAS the longer side of the glyph spans the image; beyond it there is a margin.
    height = BODY / CANVAS * uniform(-0.05, 0.3, (n,), rng).exp()
    width = height * uniform(-0.2, 0.5, (n,), rng).exp()
    cos, sin = turn.cos(), turn.sin()
    linear = torch.stack([width * cos, width * (slant - sin), height * sin, height * cos], 1)
    shift = uniform(-0.12, 0.12, (n, 2, 1), rng)
    affine = torch.cat([linear.view(n, 2, 2), shift], 2)
    grid = functional.affine_grid(affine, [n, 1, IMAGE, IMAGE], align_corners=False)
    tilt = uniform(-0.15, 0.15, (n, 1, 1, 2), rng)
    grid = grid / (1 + (grid * tilt).sum(3, keepdim=True))
    for cells, strength in ((3, 0.10), (6, 0.05)):
        bumps = torch.randn((n, 2, cells, cells), generator=rng)
        bumps = bumps * uniform(0.0, strength, (n, 1, 1, 1), rng)
        bumps = functional.interpolate(bumps, (IMAGE, IMAGE), mode="bicubic", align_corners=True)
        grid = grid + bumps.permute(0, 2, 3, 1)
    return grid


def coarsen(ink: Tensor) -> Tensor:
    """Pass three quarters of the images through 8 x 8 pixels, the rest through 12 and 16."""
    parts = ink.tensor_split((len(ink) * 3 // 4, len(ink) * 7 // 8))
    return torch.cat(
        [
            functional.interpolate(
                functional.adaptive_avg_pool2d(part, side), (IMAGE, IMAGE), mode="bilinear"
            )
            for part, side in zip(parts, (8, 12, 16), strict=True)
            if len(part)
        ]
    )


def render(glyphs: Glyphs, n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw ``n`` random distorted glyphs, light on dark.

    Returns:
        Images, float32 ``(n, 3, IMAGE, IMAGE)`` in [0, 1] with three equal channels, and their
        labels ``(n,)``.
    """
    chosen = torch.randint(len(glyphs.labels), (n,), generator=rng)
    fields = functional.grid_sample(
        glyphs.fields[chosen], warp(n, rng), padding_mode="border", align_corners=False
    )
    # A pen of random width takes the place of the font's own; thin strokes survive a thinner pen.
    pen = (uniform(2.5, 6.0, (n,), rng) - glyphs.radii[chosen]).clamp(min=-3.0)
    image = coarsen(torch.sigmoid(2.0 * (fields + pen.view(n, 1, 1, 1))))
    image = image.clamp(0, 1) ** uniform(-0.5, 0.5, (n, 1, 1, 1), rng).exp()
    dark, light = uniform(0.0, 0.1, (n, 1, 1, 1), rng), uniform(0.7, 1.0, (n, 1, 1, 1), rng)
    noise = uniform(0.0, 0.04, (n, 1, 1, 1), rng) * torch.randn(image.shape, generator=rng)
    image = (dark + (light - dark) * image + noise).clamp(0, 1)
    return image.expand(n, 3, IMAGE, IMAGE), glyphs.labels[chosen]


def learning_rates(steps: int, peak: float = 2e-3) -> Iterator[float]:
    """A linear rise over the first twentieth of the run, under a cosine that falls to zero."""
    for step in range(steps):
        rise = min(1.0, 20 * (step + 1) / steps)
        yield peak * rise * 0.5 * (1 + math.cos(math.pi * step / steps))


def pretrain(steps: int, batch_size: int = 256, seed: int = 0) -> nn.Module:
    """Train from random initialisation, every image drawn anew."""
    torch.manual_seed(seed)
    rng = torch.Generator().manual_seed(seed)
    model: nn.Module = glyph_vit_patch8_32()
    glyphs = load_glyphs()
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=0.05)
    start = time.monotonic()
    for step, rate in enumerate(learning_rates(steps), 1):
        images, labels = render(glyphs, batch_size, rng)
        logits = model((images - 0.5) / 0.5)
        loss = functional.cross_entropy(logits, labels)
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        if step % 50 == 0 or step == steps:
            accuracy = (logits.argmax(1) == labels).float().mean().item()
            left = (time.monotonic() - start) * (steps - step) / step
            print(
                f"step {step} of {steps}: loss {loss.item():.3f}, accuracy {accuracy:.3f}, "
                f"{left:.0f} s left",
                flush=True,
            )
    return model


def write(model: nn.Module, output: Path) -> None:
    """Store the weights as float16, whole or not at all."""
    halves = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    partial = output.with_name(f"{output.name}.partial")
    partial.write_bytes(save(halves))
    partial.replace(output)


def main() -> None:
    """Read the command line, pretrain and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, required=True, help="the safetensors file to write")
    parser.add_argument("--steps", type=int, default=1500, help="batches of 256 images")
    arguments = parser.parse_args()
    os.environ.update(INSTRUCTION_SET)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    write(pretrain(arguments.steps), arguments.output)


if __name__ == "__main__":
    main()
