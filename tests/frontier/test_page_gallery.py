import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from robust_tuning.errors import DataError
from robust_tuning.frontier import Run, append_point
from robust_tuning.frontier.page_gallery import Gallery, StoredExamples
from tests.frontier.synthetic import make_point
from tests.frontier.synthetic_page import CLASSES, write_examples


def run_with_examples(folder: Path, strategy: str = "LoRA", **settings: object) -> Run:
    append_point(folder, make_point(strategy=strategy))
    write_examples(folder, **settings)  # type: ignore[arg-type]  # named by the tests
    return Run(folder)


def pixels(uri: str) -> np.ndarray:
    head, _, text = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_pictures_are_the_stored_pixels_and_the_change_is_scaled(tmp_path: Path) -> None:
    run = run_with_examples(tmp_path / "run", side=24)
    stored = StoredExamples.read(tmp_path / "run" / "examples" / "linf-1of255.npz")
    assert stored.threat == "linf-1/255"
    gallery = Gallery([run])
    (record,) = gallery.records
    assert (record["run"], record["step"], record["pixels"]) == (0, 1500, [24, 24])
    assert (record["fooled"], record["stored"], record["shown"]) == (3, 4, 24)
    example = record["examples"][0]
    assert example["index"] == 7, "the first that was fooled"
    assert (example["label"], example["predicted_adversarial"]) == (CLASSES[1], CLASSES[2])
    clean, change, adversarial = (
        pixels(gallery.uris[example[name]]).astype(int)
        for name in ("clean", "perturbation", "adversarial")
    )
    assert (clean == np.moveaxis(stored.clean[1], 0, -1)).all()
    difference = adversarial - clean
    inside = (clean > 0) & (clean < 255)
    assert set(np.unique(difference[inside])) == {-1, 1}
    assert (example["scale"], example["size"]) == (127.5, 1.0)
    assert set(np.unique(change)) == {0, 255}
    assert ((change == 255) == (difference == 1))[inside].all()


def test_no_change_is_grey(tmp_path: Path) -> None:
    run = run_with_examples(tmp_path / "run")
    path = tmp_path / "run" / "examples" / "linf-1of255.npz"
    arrays = dict(np.load(path))
    np.savez(path, **{**arrays, "perturbation": np.zeros_like(arrays["perturbation"])})
    gallery = Gallery([run])
    example = gallery.records[0]["examples"][0]
    assert set(np.unique(pixels(gallery.uris[example["perturbation"]]))) == {128}
    assert example["clean"] == example["adversarial"], "equal pictures are kept once"


def test_pictures_shrink_until_they_fit(tmp_path: Path) -> None:
    runs = [
        run_with_examples(tmp_path / name, name, side=200) for name in ("LoRA", "BitFit", "IA3")
    ]
    whole, small = Gallery(runs), Gallery(runs, budget=150_000)
    assert whole.records[0]["shown"] == 200
    assert small.records[0]["shown"] < 200
    assert sum(map(len, small.pictures)) <= 150_000
    example = small.records[0]["examples"][0]
    # Single pixels are taken: means of a change of random signs would be grey.
    assert set(np.unique(pixels(small.uris[example["perturbation"]]))) == {0, 255}


def test_one_run_of_a_strategy_is_shown_under_all_its_threats(tmp_path: Path) -> None:
    empty = tmp_path / "a"
    append_point(empty, make_point())
    runs = [Run(empty), *(run_with_examples(tmp_path / name) for name in ("b", "c"))]
    write_examples(tmp_path / "b", threat="l2-0.5")
    records = Gallery(runs).records
    assert [(record["run"], record["threat"]) for record in records] == [
        (1, "l2-0.5"),
        (1, "linf-1/255"),
    ]


def test_a_file_that_cannot_be_shown_is_told(tmp_path: Path) -> None:
    run = run_with_examples(tmp_path / "run")
    (tmp_path / "run" / "examples" / "l2-1.npz").write_bytes(b"PK torn")
    gallery = Gallery([run])
    assert len(gallery.records) == 1
    (warning,) = gallery.warnings
    assert "l2-1.npz holds no adversarial examples" in warning
    assert "evaluate the run again" in warning


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("perturbation", np.zeros((4, 3, 9, 9)), r"expected \(4, 3, H, W\) of both"),
        ("label", np.array([0, 1, 2, 9]), "classes 0 to 3"),
        ("predicted_clean", np.zeros(3, dtype=int), "evaluate the run again"),
    ],
)
def test_arrays_that_do_not_go_together(
    tmp_path: Path, name: str, value: np.ndarray, complaint: str
) -> None:
    path = write_examples(tmp_path)
    np.savez(path, **{**dict(np.load(path)), name: value})
    with pytest.raises(DataError, match=complaint):
        StoredExamples.read(path)
