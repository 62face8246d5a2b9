"""What is known to go wrong in the evaluation of robustness, tried on every kind of attack."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robust_tuning.attacks import (
    APGD,
    FAB,
    FGSM,
    FMN,
    PGD,
    Adversary,
    AutoAttack,
    Cascade,
    Speed,
    Square,
    Triage,
    evaluate,
)
from tests.attacks.toys import batches, conv_net, images, labelled

EPS = 0.02
PICTURES = images(48).float()

ADVERSARIES: dict[str, Adversary] = {
    "PGD": PGD(eps=EPS, steps=5),
    "APGD": APGD(eps=EPS, steps=8),
    "FAB": FAB(eps=EPS, steps=5),
    "Square": Square(eps=EPS, queries=20),
    "FMN": FMN(eps=EPS, steps=8),
    "Cascade": Cascade([FGSM(eps=EPS), APGD(eps=EPS, steps=5, loss="dlr")]),
    "Triage": Triage(eps=EPS, restarts=1, audit=0.0, borderline=0.05),
}


@pytest.fixture(params=ADVERSARIES.values(), ids=ADVERSARIES)
def adversary(request: pytest.FixtureRequest) -> Adversary:
    made: Adversary = request.param
    return made


class Normed(nn.Module):
    """Batch normalisation, dropout and a stochastic shortcut before a net."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.drop = nn.Dropout(0.5)
        self.net = conv_net().float()
        generator = torch.Generator().manual_seed(0)
        self.norm.running_mean = torch.rand(3, generator=generator)
        self.norm.running_var = 0.5 + torch.rand(3, generator=generator)

    def forward(self, pictures: Tensor) -> Tensor:
        shown = self.drop(self.norm(pictures))
        if self.training and torch.rand(()) < 0.5:
            shown = torch.zeros_like(shown)
        logits: Tensor = self.net(shown)
        return logits


def robust(model: nn.Module, adversary: Adversary, labels: Tensor, size: int = 48) -> np.ndarray:
    outcomes = evaluate(model, batches(PICTURES, labels, size), adversary, batch_size=size)
    (found,) = outcomes.robust.values()
    return found


def test_layers_in_training_mode_change_neither_verdicts_nor_themselves(
    adversary: Adversary,
) -> None:
    model = Normed().eval()
    labels = labelled(model, PICTURES)
    expected = robust(model, adversary, labels)
    model.train()
    before = copy.deepcopy(model.state_dict())
    for size in (7, 16, 48):
        assert (robust(model, adversary, labels, size) == expected).all()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.training
    assert model.norm.training


def test_gradients_of_a_training_loop_are_left_alone(adversary: Adversary) -> None:
    model = Normed().train()
    model(PICTURES).sum().backward()
    model.net[0].weight.requires_grad_(False)  # type: ignore[union-attr, operator]  # a tensor
    before = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    flags = [p.requires_grad for p in model.parameters()]
    robust(model, adversary, labelled(model.net, PICTURES))
    after = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], grad) for name, grad in after.items())
    assert [p.requires_grad for p in model.parameters()] == flags


def test_what_comes_back_is_in_the_ball_in_the_box_and_wrong(adversary: Adversary) -> None:
    model = conv_net().float()
    # Pixels at both ends, and where adding and taking away a radius rounds.
    pictures = torch.cat([PICTURES[:16].round(), PICTURES[16:32] * 0.01, PICTURES[32:]])
    labels = labelled(model, pictures)
    outcomes = evaluate(model, batches(pictures, labels), adversary, keep="float32")
    (found,) = outcomes.adversarial.values()
    places = torch.from_numpy(found.indices)
    assert (found.images.double() - pictures[places].double()).abs().max() <= EPS + 1e-6
    assert found.images.min() >= 0
    assert found.images.max() <= 1
    wrong = model(found.images).argmax(1) != labels[places]
    (verdicts,) = outcomes.robust.values()
    assert torch.equal(wrong, torch.from_numpy(~verdicts[found.indices]))


def test_autocast_around_an_evaluation_changes_nothing(adversary: Adversary) -> None:
    model = conv_net().float()
    labels = labelled(model, PICTURES)
    expected = robust(model, adversary, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.inference_mode():
        assert (robust(model, adversary, labels) == expected).all()


def test_labels_in_low_precision_decide_nothing() -> None:
    """At the boundary bfloat16 and float32 disagree; only float32 is believed, both ways."""
    model = conv_net().float()
    generator = torch.Generator().manual_seed(3)
    # On the line between two images of different labels lies a boundary: near it, on either side.
    pair = images(2, seed=5).float()
    while model(pair[:1]).argmax() == model(pair[1:]).argmax():
        pair = torch.rand(2, *pair.shape[1:], generator=generator)
    low, high = torch.tensor(0.0), torch.tensor(1.0)
    label = int(model(pair[:1]).argmax())
    for _ in range(18):
        middle = (low + high) / 2
        same = int(model(torch.lerp(pair[:1], pair[1:], middle)).argmax()) == label
        low, high = (middle, high) if same else (low, middle)
    near = torch.cat([torch.lerp(pair[:1], pair[1:], low + k * 2e-6) for k in range(-8, 9)])
    labels = torch.full((len(near),), label)
    exact = model(near).argmax(1) == labels
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = model(near).argmax(1) == labels
    assert not torch.equal(exact, rough), "there must be a disagreement to decide"
    attack = PGD(eps=1e-9, steps=1, random_start=False, select="last")
    outcomes = evaluate(
        model, batches(near, labels), attack, speed=Speed(precision="bfloat16"), sanity=False
    )
    assert outcomes.clean_correct.tolist() == exact.tolist()
    assert outcomes.robust[attack.threat.key].tolist() == exact.tolist()


def test_autoattack_is_not_fooled_by_a_scale() -> None:
    class Scaled(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.net = conv_net().double()
            self.factor = factor

        def forward(self, pictures: Tensor) -> Tensor:
            logits: Tensor = self.factor * self.net(pictures.double())
            return logits

    pictures = PICTURES[:10]
    labels = labelled(conv_net().double(), pictures.double(), wrong_every=100)
    # The cross-entropy, and two targets of the difference of logits ratio.
    attack = Cascade([stage.attack for stage in AutoAttack(eps=EPS).stages(4)][:3])
    found = [
        evaluate(Scaled(factor), batches(pictures, labels), attack).robust[attack.threat.key]
        for factor in (1.0, 2.0**12)
    ]
    assert (found[0] == found[1]).all()
