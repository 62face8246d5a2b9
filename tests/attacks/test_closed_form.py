"""Models whose robustness is known in closed form give up exactly what they must.

Of a linear model with two classes an example at distance `d` of the boundary, in the dual norm,
falls at exactly the radii above `d`, as long as the box of pixels is out of reach.
"""

import pytest
import torch
from torch import Tensor

from robust_tuning.attacks import APGD, FGSM, PGD, Attack, Square, evaluate
from robust_tuning.attacks.losses import Loss
from robust_tuning.types import Norm
from tests.attacks.toys import PIXELS, SIZE, Linear, batches

# So near to the boundary, in shares of the radius, lies the nearest example on either side of it.
CLOSE = 2e-6
# Small enough that from grey pixels no bound of the box is within reach.
RADII: dict[Norm, float] = {"linf": 0.03, "l2": 0.1, "l1": 0.25}
DUAL: dict[Norm, float] = {"linf": 1, "l2": 2, "l1": torch.inf}
NORMS = list(RADII)


def random_slope() -> Tensor:
    """Whose four largest are equal: under l1 Auto-PGD never follows fewer than two components."""
    generator = torch.Generator().manual_seed(1)
    slope = torch.randn(PIXELS, generator=generator, dtype=torch.float64)
    largest = slope.abs().topk(4)
    slope[largest.indices] = slope[largest.indices].sign() * largest.values[0]
    return slope


def slope_for_squares(norm: Norm) -> Tensor:
    """Of one size, and of signs that a window over the whole image may have."""
    slope = torch.ones(3, SIZE, SIZE, dtype=torch.float64)
    slope[1] = -1
    if norm == "l1":
        slope[:, SIZE // 2 :] *= -1
    return slope.flatten()


def linear(norm: Norm, slope: Tensor, classes: int) -> tuple[Linear, Tensor, Tensor, Tensor]:
    """A model, images with their labels, and which of these are robust at the radius.

    Scores run evenly up to twice the radius' reach on both sides, from `CLOSE` on. Further classes
    have no hope; they are there for losses that need some.
    """
    reach = RADII[norm] * float(slope.norm(DUAL[norm]))
    shares = torch.cat([torch.linspace(0.1, 1 - CLOSE, 30), torch.linspace(1 + CLOSE, 2, 30)])
    labels = torch.arange(60) % 2
    wanted = shares.double() * reach * (2 * labels - 1)

    generator = torch.Generator().manual_seed(2)
    pictures = 0.45 + 0.1 * torch.rand(60, PIXELS, generator=generator, dtype=torch.float64)
    # Moved along a dense direction to where the scores are as wanted.
    along = slope / slope.dot(slope)
    pictures += ((wanted - pictures @ slope + 0.5 * slope.sum())[:, None]) * along
    assert pictures.min() > RADII[norm]
    assert pictures.max() < 1 - RADII[norm]

    weight = torch.zeros(PIXELS, classes, dtype=torch.float64)
    weight[:, 0], weight[:, 1] = -slope / 2, slope / 2
    bias = torch.full((classes,), -100.0, dtype=torch.float64)
    bias[0], bias[1] = slope.sum() / 4, -slope.sum() / 4
    return Linear(weight, bias), pictures.view(-1, 3, SIZE, SIZE), labels, shares > 1


def check(attack: Attack, classes: int = 2, slope: Tensor | None = None) -> None:
    slope = random_slope() if slope is None else slope
    net, pictures, labels, expected = linear(attack.threat.norm, slope, classes)
    outcomes = evaluate(net, batches(pictures, labels), attack, batch_size=60)
    assert outcomes.clean_correct.all()
    (robust,) = outcomes.robust.values()
    assert robust.tolist() == expected.tolist()


@pytest.mark.parametrize("norm", NORMS)
def test_one_step_of_the_radius_is_enough(norm: Norm) -> None:
    check(FGSM(eps=RADII[norm], norm=norm))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("random_start", [False, True])
def test_projected_gradient_descent(norm: Norm, random_start: bool) -> None:
    eps = RADII[norm]
    check(PGD(eps=eps, norm=norm, steps=40, step_size=2 * eps, random_start=random_start))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(
    ("loss", "classes"), [("ce", 2), ("margin", 2), ("dlr", 3), ("dlr_targeted", 4)]
)
def test_auto_pgd(norm: Norm, loss: Loss, classes: int) -> None:
    check(APGD(eps=RADII[norm], norm=norm, loss=loss, steps=100), classes)


@pytest.mark.parametrize("loss", ["ce", "margin"])
def test_auto_pgd_through_larger_balls(loss: Loss) -> None:
    check(APGD(eps=RADII["l1"], norm="l1", loss=loss, steps=100, wide=True))


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_square(norm: Norm) -> None:
    attack = Square(eps=RADII[norm], norm=norm, queries=1000, p_init=1)
    check(attack, slope=slope_for_squares(norm))


@pytest.mark.parametrize("attack", [FGSM, PGD, APGD])
def test_under_linf_the_box_takes_part_in_closed_form(attack: type[FGSM | PGD | APGD]) -> None:
    generator = torch.Generator().manual_seed(0)
    slope = torch.randn(PIXELS, generator=generator, dtype=torch.float64)
    pictures = torch.rand(200, PIXELS, generator=generator, dtype=torch.float64)
    scores = pictures @ slope
    weight = torch.stack([-slope / 2, slope / 2], dim=1)
    middle = float(scores.median())
    net = Linear(weight, torch.tensor([middle / 2, -middle / 2], dtype=torch.float64))
    labels = (scores > middle).long()
    eps = 0.025
    towards = (1 - 2 * labels.double())[:, None] * slope.sign()
    worst = (pictures + eps * towards).clamp(0, 1)
    expected = (worst @ slope > middle).long() == labels
    outcomes = evaluate(net, batches(pictures.view(-1, 3, SIZE, SIZE), labels), attack(eps=eps))
    (robust,) = outcomes.robust.values()
    assert robust.tolist() == expected.tolist()
    assert 40 < expected.sum() < 160
