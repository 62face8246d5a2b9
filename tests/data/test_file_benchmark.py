from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robust_tuning.data import CUB200, ImageFolder
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import ImageInput
from tests.data.small_benchmarks import lay_out


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    return {"num_workers": 0, **lay_out(CUB200, tmp_path)}


def image(root: Path, number: int = 0) -> Path:
    return sorted((root / "CUB_200_2011" / "images").rglob("*.jpg"))[number]


def below(path: Path) -> str:
    return path.relative_to(path.parents[2]).as_posix()


def test_sizes_and_classes_are_known_before_anything_is_there(tmp_path: Path) -> None:
    data = CUB200(str(tmp_path / "nowhere"))
    assert data.num_classes == 200
    assert data.split_sizes == {"train": 5395, "validation": 599, "test": 5794}


def test_the_size_of_the_split_is_that_of_the_version_at_hand(settings: dict[str, Any]) -> None:
    data = CUB200(**settings, validation_fraction=0.2)
    assert data.split_sizes == {"train": 48, "validation": 12, "test": 12}
    assert {s: len(data.labels(s)) for s in data.split_sizes} == data.split_sizes


def test_a_version_of_another_size_is_refused(settings: dict[str, Any]) -> None:
    settings["expected"] = None
    with pytest.raises(
        DataError, match=r"CUB200: train lists 60 images, expected 5994; test lists 12.*5794"
    ):
        CUB200(**settings).setup("fit")


def test_missing_images_are_counted_and_named(settings: dict[str, Any], tmp_path: Path) -> None:
    gone = [image(tmp_path, number) for number in (0, 0)]
    for path in gone:
        path.unlink(missing_ok=True)
    with pytest.raises(
        DataError, match=r"lacks 1 of \d+ listed images: images/.*data check CUB200"
    ):
        CUB200(**settings).prepare_data()


def test_a_half_unpacked_folder_is_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    for folder in list((tmp_path / "CUB_200_2011" / "images").iterdir())[1:]:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    with pytest.raises(DataError, match=r"lacks 3[0-9] of .* was it unpacked completely"):
        CUB200(**settings).prepare_data()


def test_skipped_images_move_no_other(settings: dict[str, Any], tmp_path: Path) -> None:
    whole = CUB200(**settings)
    victims = [whole.identities(split)[2] for split in ("train", "validation", "test")]
    (tmp_path / "CUB_200_2011" / victims[0]).unlink()
    (tmp_path / "CUB_200_2011" / victims[1]).write_text("no image")
    (tmp_path / "skip.txt").write_text("# broken\n" + "\n".join(victims))
    data = CUB200(**settings, skip=str(tmp_path / "skip.txt"))
    for split in ("train", "validation", "test"):
        assert data.identities(split) == [f for f in whole.identities(split) if f not in victims]
    kept = {int(i) for b in data.train_dataloader() for i in b.indices}
    before = {int(i) for i in whole.split_listings["train"].indices}
    assert len(before - kept) == 1
    assert kept < before


def test_training_sees_the_whole_image_and_evaluation_its_centre(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    data = CUB200(**settings)
    data.match(ImageInput(16, 0.5))
    trained, evaluated = data.training_examples()[0].images, data.dataset("train")[0].images
    assert trained.shape == evaluated.shape == (3, 16, 16)
    assert not torch.equal(trained, evaluated)
    whole = CUB200(**settings, crop_fraction=1.0)
    whole.match(ImageInput(16, 0.5))
    assert torch.equal(whole.training_examples()[0].images, whole.dataset("train")[0].images)


def test_arguments_go_before_the_backbone(settings: dict[str, Any]) -> None:
    data = CUB200(**settings, image_size=12)
    data.match(ImageInput(16, 0.9, "bilinear"))
    assert data.shown_input == ImageInput(12, 0.9, "bilinear")
    assert next(iter(data.train_dataloader())).images.shape[-1] == 12


def test_another_backbone_shows_other_images(settings: dict[str, Any]) -> None:
    data = CUB200(**settings)
    assert data.dataset("test")[0].images.shape[-1] == 224
    data.match(ImageInput(16))
    assert data.dataset("test")[0].images.shape[-1] == 16


def test_a_train_limit_counts_for_training(settings: dict[str, Any]) -> None:
    data = CUB200(**settings, train_limit=7)
    assert len(data.training_examples()) == len(data.dataset("train")) == 7  # type: ignore[arg-type]  # sized
    shown = [int(data.training_examples()[i].indices) for i in range(7)]
    assert shown == [int(data.dataset("train")[i].indices) for i in range(7)]


def test_cached_images_are_loaded_in_this_process_and_augmented_ones_are_not(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings.update(num_workers=2, cache="disk", cache_dir=str(tmp_path / "kept"), image_size=16)
    assert CUB200(**settings).train_dataloader().num_workers == 0
    assert CUB200(**settings).test_dataloader().num_workers == 0
    augmented = CUB200(**settings, augmentation="crop_flip")
    assert augmented.train_dataloader().num_workers == 2
    assert augmented.test_dataloader().num_workers == 0


def test_validation_does_not_depend_on_the_order_of_a_listing(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    before = set(CUB200(**settings).identities("validation"))
    table = tmp_path / "CUB_200_2011" / "images.txt"
    table.write_text("\n".join(reversed(table.read_text().splitlines())))
    assert set(CUB200(**settings).identities("validation")) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [("image_size", 0), ("crop_fraction", 0.0), ("crop_fraction", 1.5), ("validation_fraction", 1)],
)
def test_values_out_of_range_are_refused(tmp_path: Path, name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=rf"data\.{name} is {value}, expected"):
        CUB200(str(tmp_path), **{name: value})  # type: ignore[arg-type]  # a number


def test_a_variant_on_the_hub_has_another_name(tmp_path: Path) -> None:
    assert CUB200(str(tmp_path)).benchmark == "CUB200"
    assert CUB200(str(tmp_path), source="hub").benchmark == "CUB200-hub"
    assert ImageFolder(str(tmp_path)).source == "local"


def test_indices_are_those_of_the_whole_whatever_is_held_out(settings: dict[str, Any]) -> None:
    def numbered(fraction: float) -> dict[str, int]:
        data = CUB200(**settings, validation_fraction=fraction)
        listings = data.split_listings.values()
        return {f: int(i) for x in listings for f, i in zip(x.files, x.indices, strict=True)}

    assert numbered(0.1) == numbered(0.5)
    assert sorted(numbered(0.1).values()) == list(np.arange(72))
