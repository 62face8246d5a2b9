from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from robust_tuning.data import CIFAR10, CIFAR100, Digits, ImageArrays, ImageFolder
from robust_tuning.data.class_lists import read_classes
from robust_tuning.data.external import CIFAR_10_C
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.plugins import from_spec, spec_of
from robust_tuning.shifts import StoredCorruptions
from robust_tuning.shifts.corruptions import EXTRA, STANDARD
from robust_tuning.types import Split
from tests.data.external.stored import lay_out_corruptions, noise, published, severe
from tests.data.small_benchmarks import lay_out
from tests.layouts import lay_out_cifar
from tests.material import real_cifar

NAMES = ["fog", "snow"]


class _Files(ImageFolder):
    """CIFAR-10 as files, with its classes in another order; none of them is read."""

    official_classes = read_classes("cifar10")[::-1]  # type: ignore[assignment]

    def identities(self, split: Split) -> list[str]:
        return [f"{split}/cat/{number}.png" for number in range(40)]


def clean_of(source: Any) -> tuple[Any, Any]:
    """`(N, 32, 32, 3)` and labels, in the order of the rows."""
    whole = source.dataset("test")
    return whole.images.permute(0, 2, 3, 1).numpy(), whole.labels.numpy()


@pytest.fixture
def cifar(tmp_path: Path) -> CIFAR10:
    return CIFAR10(**lay_out(CIFAR10, tmp_path / "clean"))


@pytest.fixture
def root(tmp_path: Path, cifar: CIFAR10) -> str:
    lay_out_corruptions(tmp_path / "CIFAR-10-C", NAMES, *clean_of(cifar))
    return str(tmp_path)


def shift(root: str, **more: Any) -> StoredCorruptions:
    return StoredCorruptions(root, **{"corruptions": NAMES, "expected": 40, **more})


def test_every_corruption_at_every_severity(root: str, cifar: CIFAR10) -> None:
    sets = shift(root).sets(cifar, "test", None)
    assert [s.key for s in sets] == [f"cifar10c-{n}-{s}" for n in NAMES for s in range(1, 6)]
    clean, labels = clean_of(cifar)
    for place, found in enumerate(sets):
        number, severity = place // 5, place % 5 + 1
        batch = found.examples.__getitems__(range(40))  # type: ignore[attr-defined]  # it has
        wanted = severe(clean, number, severity)
        assert (batch.images.permute(0, 2, 3, 1).numpy() == wanted).all()
        assert batch.labels.tolist() == labels.tolist()
        assert found.findings == []


@pytest.mark.parametrize("n", [1, 13, 40, None])
def test_the_images_are_those_of_the_clean_evaluation_and_so_are_their_indices(
    root: str, cifar: CIFAR10, n: int | None
) -> None:
    clean: Any = cifar.evaluation_examples("test", n)
    for found in shift(root, severities=[4, 2]).sets(cifar, "test", n):
        number, severity = NAMES.index(found.key.split("-")[1]), int(found.key[-1])
        batch = found.examples.__getitems__(range(len(clean)))  # type: ignore[attr-defined]
        assert len(found.examples) == len(clean)  # type: ignore[arg-type]  # has a length
        assert batch.indices.tolist() == clean.indices.tolist()
        assert min(batch.indices.tolist()) >= 200, "counted on behind the training rows"
        assert batch.labels.tolist() == clean.labels.tolist()
        wanted = severe(clean.images.permute(0, 2, 3, 1).numpy(), number, severity)
        assert (batch.images.permute(0, 2, 3, 1).numpy() == wanted).all()


def test_arrays_of_ones_own_are_paired_too(root: str, cifar: CIFAR10, tmp_path: Path) -> None:
    pixels, labels = clean_of(cifar)
    file = tmp_path / "own.npz"
    names = read_classes("cifar10")
    np.savez(
        file, x_train=pixels, y_train=labels, x_test=pixels, y_test=labels, classes=np.array(names)
    )
    own = ImageArrays(str(file))
    clean: Any = own.evaluation_examples("test", 9)
    found: Any = shift(root).sets(own, "test", 9)[0].examples
    assert [int(found[i].indices) for i in range(9)] == clean.indices.tolist()


def test_a_benchmark_of_the_classes_in_another_order_and_of_other_files(
    root: str, cifar: CIFAR10
) -> None:
    found: Any = shift(root).sets(_Files("x"), "test", 8)[0].examples
    _, labels = clean_of(cifar)
    assert [9 - int(found[i].labels) for i in range(8)] == [
        labels[int(found[i].indices)] for i in range(8)
    ]


def test_the_validation_split_is_refused(root: str, cifar: CIFAR10) -> None:
    for split in ("train", "validation"):
        with pytest.raises(ConfigurationError, match=f"nothing of the {split} split: .*split: te"):
            shift(root).sets(cifar, split, None)  # type: ignore[arg-type]  # of both


def test_images_of_another_version_are_refused(root: str, cifar: CIFAR10, tmp_path: Path) -> None:
    pixels, labels = clean_of(cifar)
    lay_out_corruptions(tmp_path / "other" / "CIFAR-10-C", NAMES, pixels, labels[::-1])
    with pytest.raises(DataError, match=r"holds 40 at each severity, but \d+ of 40 labels differ"):
        shift(str(tmp_path / "other")).sets(cifar, "test", 5)
    half = tmp_path / "half"
    lay_out_corruptions(half / "CIFAR-10-C", NAMES, pixels[:20], labels[:20])
    with pytest.raises(DataError, match="holds 20 at each severity, but it has 40"):
        shift(str(half), expected=20).sets(cifar, "test", 5)


def test_labels_must_be_the_same_at_each_severity(root: str, cifar: CIFAR10) -> None:
    file = Path(root) / "CIFAR-10-C" / "labels.npy"
    labels = np.load(file)
    labels[45:80] = labels[45:80][::-1]
    np.save(file, labels)
    with pytest.raises(DataError, match="not the same for each of 5 severities"):
        shift(root).sets(cifar, "test", 5)


def test_the_published_files_are_verified_and_then_mapped(
    root: str, cifar: CIFAR10, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(root) / "CIFAR-10-C"
    small = published(CIFAR_10_C, folder, dict.fromkeys(NAMES, (20,) * 10))
    monkeypatch.setattr("robust_tuning.shifts.stored_corruptions.CIFAR_10_C", small)
    sets = shift(root, expected=None).sets(cifar, "test", 5)
    assert isinstance(sets[0].examples.pixels, np.memmap)  # type: ignore[attr-defined]
    assert (folder / ".verified.json").is_file()
    np.save(folder / "fog.npy", noise(200))
    with pytest.raises(DataError, match=r"fog\.npy has the sha256"):
        shift(root, expected=None).sets(cifar, "test", 5)


def test_a_hundred_classes_are_another_set(tmp_path: Path) -> None:
    source = CIFAR100(**lay_out(CIFAR100, tmp_path / "clean"))
    lay_out_corruptions(tmp_path / "CIFAR-100-C", NAMES, *clean_of(source))
    stored = shift(str(tmp_path), expected=12)
    found = stored.sets(source, "test", 6)
    assert found[-1].key == "cifar100c-snow-5"
    assert stored.label_map(source).classes == read_classes("cifar100")
    with pytest.raises(DataError, match=r"CIFAR-10-C\.tar .*zenodo"):
        StoredCorruptions(str(tmp_path)).sets(CIFAR10("x"), "test", 6)


def test_other_benchmarks_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Digits has 10 classes such as '0': CIFAR-10-C"):
        StoredCorruptions("x").sets(Digits(), "test", None)


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("standard", tuple(STANDARD)),
        ("extra", tuple(EXTRA)),
        ("all", (*STANDARD, *EXTRA)),
        ("saturate", ("saturate",)),
        (["saturate", "standard", "fog"], ("saturate", *STANDARD)),
    ],
)
def test_words_for_groups(words: Any, names: tuple[str, ...], tmp_path: Path) -> None:
    clean, labels = noise(10), np.arange(10)
    lay_out_corruptions(tmp_path / "C", list(names), clean, labels)
    stored = StoredCorruptions(str(tmp_path / "C"), corruptions=words, severities=[3], expected=10)
    keys = [found.key for found in stored.sets(_Files("x"), "test", 1)]
    assert keys == [f"cifar10c-{name}-3" for name in names]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"corruptions": ["frogs"]}, r"did you mean frost\? expected of standard, extra, all, ga"),
        ({"corruptions": []}, r"corruptions is \[\]; expected of standard"),
        ({"corruptions": ""}, "corruptions is ''; expected of standard"),
        ({"severities": [0]}, r"severities is \[0\], expected some of 1 to 5"),
        ({"severities": [5, 6]}, r"severities is \[5, 6\]"),
        ({"severities": []}, r"severities is \[\]"),
    ],
)
def test_what_does_not_exist_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        StoredCorruptions("x", **settings)


def test_it_can_be_written_down() -> None:
    stored = shift("x", severities=[5, 1, 5])
    assert stored.severities == [1, 5]
    assert spec_of(from_spec(spec_of(stored))) == spec_of(stored)


@pytest.mark.real_data
def test_each_stored_photograph_is_nearest_to_the_one_it_is_paired_with(
    real_data: Path, tmp_path: Path
) -> None:
    lay_out_cifar(real_cifar(real_data, "cifar10"), tmp_path / "clean", "cifar10")
    source = CIFAR10(str(tmp_path / "clean"), expected={"train": 4000, "test": 1000})
    pixels, labels = clean_of(source)
    folder = tmp_path / "CIFAR-10-C"
    folder.mkdir()
    noisy = np.concatenate(
        [
            (pixels + np.random.default_rng(s).normal(0, 4 * s, pixels.shape))
            .clip(0, 255)
            .astype(np.uint8)
            for s in range(1, 6)
        ]
    )
    np.save(folder / "gaussian_noise.npy", noisy)
    np.save(folder / "labels.npy", np.tile(labels, 5).astype(np.uint8))
    clean: Any = source.evaluation_examples("test", 100)
    flat = clean.images.flatten(1).double()
    stored = StoredCorruptions(str(tmp_path), corruptions="gaussian_noise", expected=1000)
    for found in stored.sets(source, "test", 100):
        batch = found.examples.__getitems__(range(100))  # type: ignore[attr-defined]
        nearest = torch.cdist(batch.images.flatten(1).double(), flat).argmin(1)
        assert nearest.tolist() == list(range(100))
        assert batch.indices.tolist() == clean.indices.tolist()
