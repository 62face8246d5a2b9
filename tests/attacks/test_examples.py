from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from robust_tuning.attacks import PGD, AdversarialExamples, evaluate
from robust_tuning.attacks.examples import Kept, as_pixels, rounded
from robust_tuning.attacks.threat import ThreatModel
from robust_tuning.errors import RobustTuningError
from tests.attacks.toys import SIZE, batches, conv_net, images, labelled

NET = conv_net().float()
# Levels of 256, as pictures have them.
PICTURES = (images(60) * 255).round().float() / 255
LABELS = labelled(NET, PICTURES)


def kept(eps: str, kind: Kept, norm: str = "linf") -> tuple[AdversarialExamples, np.ndarray]:
    attack = PGD(eps=eps, steps=10, norm=norm)  # type: ignore[arg-type]  # a norm
    outcomes = evaluate(NET, batches(PICTURES, LABELS), attack, keep=kind, batch_size=16)
    return outcomes.adversarial[attack.threat.key], outcomes.robust[attack.threat.key]


def test_by_default_nothing_is_kept() -> None:
    assert evaluate(NET, batches(PICTURES, LABELS), PGD(eps=0.02)).adversarial == {}


def test_the_images_that_broke_the_model_come_back() -> None:
    found, robust = kept("5/255", "float32")
    correct = np.flatnonzero(NET(PICTURES).argmax(1) == LABELS)
    assert (found.indices == correct).all()
    answers = NET(found.images).argmax(1).numpy()
    assert ((answers != found.labels) == found.broken).all()
    assert (found.broken == ~robust[correct]).all()
    assert found.broken.any()
    offsets = (found.images - PICTURES[correct]).double().flatten(1).abs().amax(1)
    assert np.allclose(found.distance, offsets)
    assert found.distance.max() <= 5 / 255 + 1e-6


@pytest.mark.parametrize(("eps", "norm"), [("5/255", "linf"), ("0.2", "l2"), ("2", "l1")])
def test_rounded_images_are_judged_as_they_are_kept(eps: str, norm: str) -> None:
    found, _ = kept(eps, "uint8", norm)
    exact, _ = kept(eps, "float32", norm)
    assert found.images.dtype == torch.uint8
    answers = NET(found.images.float() / 255).argmax(1).numpy()
    assert ((answers != found.labels) == found.broken).all()
    limit = PGD(eps=eps, norm=norm).threat.eps  # type: ignore[arg-type]  # a norm
    assert found.distance.max() <= limit + 1e-6
    assert (found.broken <= exact.broken).all()
    assert found.broken.sum() > 0


def test_where_rounding_undoes_it_the_image_is_no_success_but_the_verdict_stands() -> None:
    found, robust = kept("0.9/255", "uint8")
    # No level but the original's own lies within the radius.
    assert found.distance.max() == 0
    assert not found.broken.any()
    assert (~robust[found.indices]).any()


levels = st.integers(0, 255)


@given(levels, st.floats(-1, 1), st.floats(0.3, 12))
def test_rounding_stays_in_the_ball_and_near(level: int, share: float, radius: float) -> None:
    image = torch.full((1, 1, 1, 1), level / 255, dtype=torch.float64)
    adversarial = (image + share * radius / 255).clamp(0, 1)
    for norm in ("linf", "l2", "l1"):
        result = int(rounded(adversarial, image, ThreatModel(norm, radius / 255)))
        assert abs(result - level) <= radius + 1e-3
        assert abs(result - float(adversarial) * 255) <= 1


def test_between_two_levels_the_nearest_is_taken() -> None:
    image = torch.full((1, 1, 1, 1), 100.5 / 255, dtype=torch.float64)
    threat = ThreatModel("linf", 0.2 / 255)
    assert int(rounded(image + 0.1 / 255, image, threat)) == 101
    assert int(rounded(image - 0.1 / 255, image, threat)) == 100


def test_examples_are_found_by_their_identity() -> None:
    found, _ = kept("5/255", "float32")
    some = torch.tensor([int(found.indices[7]), int(found.indices[2])])
    assert torch.equal(found.of(some), found.images[[7, 2]])
    rough, _ = kept("5/255", "uint8")
    assert torch.equal(rough.of(some), as_pixels(rough.images)[[7, 2]])


def test_a_saved_file_holds_everything(tmp_path: Path) -> None:
    found, _ = kept("5/255", "uint8")
    path = tmp_path / "new" / "adversarial.npz"
    found.save(path)
    with np.load(path) as arrays:
        assert arrays["images"].shape == (len(found.indices), 3, SIZE, SIZE)
        assert (arrays["images"] == found.images.numpy()).all()
        for name in ("indices", "labels", "broken", "distance"):
            assert (arrays[name] == getattr(found, name)).all()
    assert [file.name for file in path.parent.iterdir()] == ["adversarial.npz"]


def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    found, _ = kept("5/255", "uint8")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(RobustTuningError, match="cannot write the adversarial examples to"):
        found.save(tmp_path / "taken" / "adversarial.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(RobustTuningError, match=r"folder\.npz"):
        found.save(tmp_path / "folder.npz")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["folder.npz", "taken"]
