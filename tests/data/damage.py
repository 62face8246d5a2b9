"""Doing to the files of a benchmark whatever can happen to them, and saying what was done."""

import io
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from robust_tuning.data.listing import Listing
from tests.data.pictures import quarters

Found = dict[str, set[tuple[str, ...]]]


def encoded(image: Image.Image, kind: str = "JPEG", **more: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def noise(seed: int, side: int = 24) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def rotated() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(quarters(), exif=exif)


def deep() -> bytes:
    """16 bits per channel."""
    return encoded(Image.fromarray(np.arange(1024, dtype=np.uint16).reshape(32, 32) * 60), "PNG")


def truncated() -> bytes:
    content = encoded(noise(1, side=64))
    return content[: len(content) - 500]


# Contents by what a check should call them.
UNUSABLE: dict[str, dict[str, bytes]] = {
    "empty": {"nothing": b""},
    "truncated": {
        "jpeg": truncated(),
        "png": encoded(noise(2, side=64), "PNG")[:2000],
        "jpeg header": encoded(noise(3))[:20],
    },
    "unreadable": {
        "text": b"<html>404 Not Found</html>",
        "16 bits": deep(),
        "zeros": bytes(4000),
    },
}
CONVERTED = {
    "grey": encoded(noise(4).convert("L")),
    "grey with transparency": encoded(noise(5).convert("LA"), "PNG"),
    "black and white": encoded(noise(6).convert("1"), "PNG"),
    "palette": encoded(noise(7).convert("P"), "PNG"),
    "RGBA": encoded(noise(8).convert("RGBA"), "PNG"),
    "CMYK": encoded(noise(9).convert("CMYK")),
    "rotated": rotated(),
}


def damage(
    folder: Path, train: Listing, test: Listing, *, remove: bool = True
) -> tuple[Found, Mapping[str, str]]:
    """Damage images of two classes in every way.

    Args:
        folder: That the lists are below.
        train: Of three classes, the last two with at least 20 images; those of the first are left.
        test: Of the same classes.
        remove: Whether to remove one, too, which only a list can tell.

    Returns:
        What a check must find in addition to what it found before, and how each image that is
        stored oddly is stored.
    """
    second, third = sorted(set(train.labels.tolist()))[1:3]

    def of(listing: Listing, label: int) -> list[str]:
        pairs = zip(listing.files, listing.labels, strict=True)
        return [file for file, of_file in pairs if of_file == label]

    victims = iter(of(train, second))
    found: Found = {"not_rgb": set()}
    if remove:
        gone = next(victims)
        (folder / gone).unlink()
        found["missing"] = {(gone,)}
    for kind, contents in UNUSABLE.items():
        found[kind] = set()
        for content in contents.values():
            victim = next(victims)
            (folder / victim).write_bytes(content)
            found[kind].add((victim,))
    stored = {}
    for name, content in CONVERTED.items():
        victim = next(victims)
        (folder / victim).write_bytes(content)
        stored[victim] = name
        found["not_rgb"].add((victim,))
    one, two = of(train, third)[:2]
    shutil.copy(folder / one, folder / two)
    found["duplicates"] = {tuple(sorted((one, two)))}
    original, copied = of(train, third)[2], of(test, third)[0]
    shutil.copy(folder / original, folder / copied)
    found["duplicates_across_splits"] = {tuple(sorted((original, copied)))}
    original, copied = of(train, third)[3], of(test, second)[0]
    shutil.copy(folder / original, folder / copied)
    found["conflicting_duplicates"] = {tuple(sorted((original, copied)))}
    return found, stored
