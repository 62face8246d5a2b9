"""From the bytes of an image file to upright RGB pixels."""

import io
import warnings

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from robust_tuning.errors import DataError

try:
    from torchvision.io import ImageReadMode, decode_jpeg
except ImportError:  # torchvision 0.29 announces its removal; Pillow's pixels are the same
    decode_jpeg = None

_ORIENTATION = 0x0112
_REMEDY = "replace it, or leave it out by a line in the list that data.skip names"


def decode(
    content: bytes, name: str, *, shorter_side: int | None = None, remedy: str = _REMEDY
) -> Tensor:
    """Decode an image of any mode and orientation.

    JPEGs go through torchvision's decoder, where there is one: it returns the same pixels as
    Pillow's in two thirds of the time. A JPEG that is much larger than needed goes through Pillow,
    which can leave out frequencies that the reduced image could not show (half, a quarter or an
    eighth of the size); so does everything else, and whatever torchvision refuses.

    Args:
        content: The whole file.
        name: What errors call it.
        shorter_side: Side in pixels that the image will be reduced to; a JPEG may come back
            smaller than it was stored, but with at least twice this side.
        remedy: What the error says can be done.

    Returns:
        `(3, H, W)` uint8; transparency is dropped.

    Raises:
        DataError: If the content is no complete image with 8 bits per channel.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            stored = image.size
            if shorter_side is not None:
                image.draft("RGB", (2 * shorter_side, 2 * shorter_side))
            if image.format == "JPEG" and image.size == stored:
                pixels = _fast(content, image)
                if pixels is not None:
                    return pixels
            upright = np.array(_rgb(ImageOps.exif_transpose(image)))
    except Exception as error:  # damaged files make decoders raise anything
        message = f"{name} cannot be decoded ({error}); {remedy}"
        raise DataError(message) from error
    return torch.from_numpy(upright).permute(2, 0, 1)


def is_rgb(content: bytes) -> bool:
    """Whether an image is stored upright and in RGB, so that decoding converts nothing."""
    with Image.open(io.BytesIO(content)) as header:
        return header.mode == "RGB" and header.getexif().get(_ORIENTATION, 1) == 1


def _fast(content: bytes, header: Image.Image) -> Tensor | None:
    if decode_jpeg is None or header.getexif().get(_ORIENTATION, 1) != 1:
        return None
    stored = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the announced removal, once per image
        try:
            return decode_jpeg(stored, mode=ImageReadMode.RGB)  # type: ignore[no-any-return]
        except RuntimeError:
            return None  # Pillow reads more kinds, and says more clearly what is wrong


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode[0] in "IF":  # Pillow would cut such values off at 255
        message = f"mode {image.mode}, more than 8 bits per channel; save it with 8"
        raise ValueError(message)
    if image.mode == "P":  # by way of RGBA, without a warning about transparent palettes
        image = image.convert("RGBA")
    return image.convert("RGB")
