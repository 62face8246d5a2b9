"""A picture of all 19 corruptions at all severities of one image, to be looked at.

    python -m benchmarks.corruption_grid IMAGE grid.png [--table imagenet] [--side 224] [--cell 112]
        [--only fog snow] [--quality 90]

IMAGE is a file, of whose centre a square of `--side` pixels is taken; or a scikit-learn sample
photograph, `china` or `flower`; or `cifar10:NUMBER`, an image of the real data that the environment
variable ROBUST_TUNING_REAL_DATA names. Rows are corruptions, columns severities from 0, the image
itself. Small images are enlarged without smoothing. The ending of the output decides its format.
"""

import argparse
import io
import os
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_image

from robust_tuning.shifts.corruptions import EXTRA, STANDARD, Corruption, Table
from tests.shifts.corruptions.photographs import centre, photographs

MARGIN, HEAD, LABEL = 2, 18, 118


def read(which: str, side: int) -> NDArray[np.uint8]:
    """The image, `(3, side, side)`."""
    if which.startswith("cifar10:"):
        number = int(which.partition(":")[2])
        folder = Path(os.environ["ROBUST_TUNING_REAL_DATA"])
        return photographs(folder, 32, number + 1)[number]
    if which in {"china", "flower"}:
        file = io.BytesIO()
        Image.fromarray(load_sample_image(f"{which}.jpg")).save(file, "PNG")
        return centre(file.getvalue(), side)
    return centre(Path(which).read_bytes(), side)


def grid(image: NDArray[np.uint8], names: list[str], table: Table, cell: int) -> Image.Image:
    """Corruptions from above to below, severities from left to right, with their names."""
    step = cell + MARGIN
    sheet = Image.new("RGB", (LABEL + 6 * step, HEAD + len(names) * step), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    resample = Image.Resampling.NEAREST if image.shape[1] < cell else Image.Resampling.LANCZOS
    for severity in range(6):
        left = LABEL + severity * step
        draw.text((left + cell // 2, HEAD // 2), str(severity), "black", font, anchor="mm")
        for row, name in enumerate(names):
            top = HEAD + row * step
            draw.text((4, top + cell // 2), name.replace("_", " "), "black", font, anchor="lm")
            corrupt = Corruption(name, severity, table)
            seen = corrupt(torch.from_numpy(image)[None], torch.tensor([row]))[0]
            picture = Image.fromarray(seen.permute(1, 2, 0).contiguous().numpy())
            sheet.paste(picture.resize((cell, cell), resample), (left, top))
    return sheet


def main() -> None:
    """Draw and write."""
    names = [*STANDARD, *EXTRA]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("image")
    parser.add_argument("output", type=Path)
    parser.add_argument("--table", choices=["cifar", "imagenet"], default="imagenet")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--cell", type=int, default=112)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    parser.add_argument("--quality", type=int, default=90, help="of a JPEG")
    arguments = parser.parse_args()
    image = read(arguments.image, arguments.side)
    sheet = grid(image, arguments.only, arguments.table, arguments.cell)
    sheet.save(arguments.output, quality=arguments.quality)
    print(f"{arguments.output}: {arguments.output.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
