"""Reading every image of a benchmark, as training would."""

import hashlib
import io
import warnings
from collections.abc import Iterator
from typing import NamedTuple

from PIL import ExifTags, Image, UnidentifiedImageError
from rich.console import Console
from rich.progress import track
from torch.utils.data import DataLoader, Dataset

from robust_tuning.data.check_report import (
    EMPTY,
    MISSING,
    NOT_RGB,
    TRUNCATED,
    UNREADABLE,
    Kind,
)
from robust_tuning.data.decoding import decode, is_rgb
from robust_tuning.data.image_files import EncodedImages
from robust_tuning.errors import DataError

_CHUNK = 16
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
_MODES = {"1": "black and white", "L": "grey", "LA": "grey with transparency", "P": "palette"}


class Examined(NamedTuple):
    """What reading an image has told.

    Attributes:
        kind: What was found, None for an upright RGB image.
        detail: What exactly.
        digest: Of the file's content; None if it is no image that could be trained on.
    """

    kind: Kind | None
    detail: str
    digest: bytes | None


class _Examination(Dataset[Examined]):
    """Examines an image when it is fetched, which a DataLoader does in parallel."""

    def __init__(self, images: EncodedImages) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, position: int) -> Examined:
        return examine(self.images, position)


def examine_all(images: EncodedImages, workers: int) -> list[Examined]:
    """Examine images in parallel, with a progress bar where stderr is a terminal.

    Args:
        images: The image files.
        workers: Processes that read and decode; 0 does it in this one.

    Returns:
        What was found, in the order of `images`.
    """
    console = Console(stderr=True)
    workers = min(workers, len(images))
    with warnings.catch_warnings():
        # More workers than processors are right where the disk is what one waits for.
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        loader = DataLoader(_Examination(images), _CHUNK, num_workers=workers, collate_fn=list)
        chunks = iter(loader)  # forks now, before the progress bar's thread is there

    def results() -> Iterator[Examined]:
        for chunk in chunks:
            yield from chunk

    return list(
        track(
            results(),
            description=f"reading {len(images):,} images",
            total=len(images),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
    )


def examine(images: EncodedImages, position: int) -> Examined:
    """Read and decode one image."""
    try:
        content = images.read(position)
    except DataError as error:
        gone = isinstance(error.__cause__, FileNotFoundError | NotADirectoryError)
        return Examined(MISSING if gone else UNREADABLE, "" if gone else str(error), None)
    if not content:
        return Examined(EMPTY, "", None)
    try:
        decode(content, images.name(position))
    except DataError as error:
        return Examined(*_why(content, str(error.__cause__)), None)
    digest = hashlib.blake2b(content, digest_size=16).digest()
    if is_rgb(content):
        return Examined(None, "", digest)
    return Examined(NOT_RGB, _stored_as(content), digest)


def _why(content: bytes, reason: str) -> tuple[Kind, str]:
    """What is wrong with an image that cannot be decoded."""
    try:
        with Image.open(io.BytesIO(content)) as header:
            deep = header.mode[0] in "IF"
    except UnidentifiedImageError:
        if content.startswith(_SIGNATURES):
            return TRUNCATED, "its header is incomplete"
        return UNREADABLE, f"no image: it begins with {content[:16]!r}"
    except Exception as error:  # damaged files make decoders raise anything
        return UNREADABLE, str(error)
    return (UNREADABLE if deep else TRUNCATED), reason


def _stored_as(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as header:
        words = [] if header.mode == "RGB" else [_MODES.get(header.mode, header.mode)]
        if header.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            words.append("rotated")
    return ", ".join(words)
