"""How one domain's images lie in its folder: cut into splits, or not."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robust_tuning.data.image_folder import images_below, subfolders
from robust_tuning.data.listing import Listing, some_of
from robust_tuning.data.splits import hash_keys
from robust_tuning.errors import DataError
from robust_tuning.types import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
LAYOUTS = "DOMAIN/train/CLASS/ and DOMAIN/test/CLASS/, or DOMAIN/CLASS/ alone"


def is_cut(folder: Path) -> bool:
    """Whether a domain's folders are those of splits, which hold the classes' folders.

    A class may be called `train` too: its folder holds images and no folders.

    Raises:
        DataError: If there are no folders, or folders of either kind.
    """
    names = subfolders(folder)
    splits = [name for name in SPLITS if name in names and subfolders(folder / name)]
    others = set(names).difference(SPLITS)
    if not names or (splits and others):
        held = f"{', '.join(splits)} beside {some_of(others)}" if names else "no folders"
        message = f"{folder} holds {held}; expected {LAYOUTS}"
        raise DataError(message)
    return bool(splits)


def trained_classes(folder: Path) -> list[str]:
    """Names of the class folders that a domain has for training."""
    return subfolders(folder / "train" if is_cut(folder) else folder)


def read_domain(
    home: Path,
    domain: str,
    classes: Sequence[str],
    test_fraction: float,
    validation_fraction: float,
) -> dict[Split, Listing]:
    """The images of a domain by splits; of one that is not cut, or has no validation, parted here.

    Args:
        home: Folder of the domains.
        domain: Name of one.
        classes: The class folders that it may have, in the order of the labels.
        test_fraction: Share of the images of a domain that is not cut.
        validation_fraction: Share of the other images where there is no folder for it.

    Returns:
        All splits; of a domain that is cut and not to be trained on, those that it has.

    Raises:
        DataError: If a folder holds no images, or a class that is none of `classes`.
    """
    parts: dict[Split, Listing] = {}
    if is_cut(home / domain):
        for split in SPLITS:
            if (home / domain / split).is_dir():
                parts[split] = _images(home, f"{domain}/{split}", classes)
        rest = parts.get("train")
    else:
        everything = _images(home, domain, classes)
        parts["test"], rest = everything.hold_out(test_fraction, "test")
    if rest and "validation" not in parts:
        parts["validation"], parts["train"] = rest.hold_out(validation_fraction)
    return parts


def _images(home: Path, folder: str, classes: Sequence[str]) -> Listing:
    """The images `FOLDER/CLASS/*`."""
    labels = {name: label for label, name in enumerate(classes)}
    if surplus := set(subfolders(home / folder)).difference(classes):
        message = (
            f"{home / folder} holds classes that no domain trained on has: {some_of(surplus)}; "
            "train on one that has them (data.domains), move these folders elsewhere, or leave "
            "the domain out (data.ood_domains)"
        )
        raise DataError(message)
    found = tuple(f"{folder}/{file}" for file in images_below(home / folder) if "/" in file)
    if not found:
        message = f"{home / folder} holds no images; expected {LAYOUTS}"
        raise DataError(message)
    place = folder.count("/") + 1
    return Listing(
        found,
        np.array([labels[file.split("/")[place]] for file in found], dtype=np.int64),
        (hash_keys(found, 0, "index") >> 1).astype(np.int64),
    )
