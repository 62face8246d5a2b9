from dataclasses import fields, replace
from typing import Any

import pytest
from torch import Tensor, nn

from robust_tuning.attacks import (
    APGD,
    FGSM,
    PGD,
    Cascade,
    RandomNoise,
    Triage,
    evaluate,
)
from robust_tuning.attacks.diagnostics import Diagnostics
from tests.attacks.toys import batches, conv_net, images, labelled

HEALTHY = Diagnostics(examples=100, attacked=50, zero_gradients=0, bad_gradients=0)

# Each sign alone, and what is to be read of it.
SIGNS: list[tuple[dict[str, Any], list[str]]] = [
    ({"zero_gradients": 20}, ["40% of the attacked", "the loss is flat", "not to be trusted"]),
    ({"zero_gradients": 20, "saturated": 30}, ["the cross-entropy is saturated"]),
    (
        {"zero_gradients": 20, "scale_free": 16, "scale_free_broken": 9},
        ["dlr breaks 9 of 16 such survivors"],
    ),
    ({"bad_gradients": 15}, ["30% of the attacked", "not finite", "not to be trusted"]),
    ({"not_rising": 25}, ["on 50% of the attacked examples no step ever lowered"]),
    ({"black_box_only": 1}, ["1 examples fell only to an attack without gradients"]),
    ({"late_restarts": 5}, ["5 examples fell only to a later restart"]),
    ({"unlimited": 16, "unlimited_robust": 2}, ["2 of 16 survivors withstand even an attack"]),
    ({"random_model": True}, ["random in evaluation mode", "version rand"]),
    ({"batch_dependent": True}, ["depends on the images beside it"]),
    ({"clipped": 30}, ["largest logit of 30 examples is the very same number"]),
    ({"probabilities": True}, ["answers with probabilities, expected logits"]),
    ({"no_radius": True}, ["the radius is 0"]),
]
# What a sound evaluation shows as well, in small numbers or without harm.
HARMLESS: list[dict[str, Any]] = [
    {"saturated": 90},
    {"unlimited": 16},
    {"clipped": 3},
    {"late_restarts": 2},
    {"not_rising": 2},
    {"scale_free": 4},
]


def test_a_healthy_attack_has_nothing_to_report() -> None:
    assert HEALTHY.warnings() == []
    assert Diagnostics(examples=0, attacked=0, zero_gradients=0, bad_gradients=0).warnings() == []


@pytest.mark.parametrize(("signs", "words"), SIGNS, ids=lambda it: "-".join(it))
def test_each_bad_sign_is_put_in_words(signs: dict[str, Any], words: list[str]) -> None:
    (warning,) = replace(HEALTHY, **signs).warnings()
    assert all(word in warning for word in words)


@pytest.mark.parametrize("signs", HARMLESS, ids=lambda it: "-".join(it))
def test_what_sound_evaluations_show_too_is_no_warning(signs: dict[str, Any]) -> None:
    assert replace(HEALTHY, **signs).warnings() == []


def test_every_sign_has_its_test() -> None:
    tested = {name for signs, _ in SIGNS for name in signs}
    assert tested == {field.name for field in fields(Diagnostics)} - {"examples", "attacked"}


def test_several_bad_signs_are_all_reported() -> None:
    assert (
        len(replace(HEALTHY, zero_gradients=1, bad_gradients=1, random_model=True).warnings()) == 3
    )


# --- models that fool attacks, and what is said of them -------------------------------------------

EPS = 0.02
PICTURES = images(60).float()


def diagnosed(model: nn.Module, attack: Any) -> tuple[int, Diagnostics]:
    outcomes = evaluate(model, batches(PICTURES, labelled(model, PICTURES)), attack, batch_size=60)
    (robust,), (found,) = outcomes.robust.values(), outcomes.diagnostics.values()
    return int(robust.sum()), found


class Last(nn.Module):
    """A net with something done to its logits."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.net = conv_net().float()
        self.change = change

    def forward(self, pictures: Tensor) -> Tensor:
        changed: Tensor = self.change(self.net(pictures))
        return changed


def test_a_sound_evaluation_of_a_sound_model_is_silent() -> None:
    for attack in (PGD(eps=EPS), APGD(eps=EPS, steps=20), Triage(eps=EPS, restarts=2)):
        _, found = diagnosed(Last(lambda logits: logits), attack)
        assert found.warnings() == []
        assert found.unlimited > 0


def test_logits_times_300_hide_examples_from_the_cross_entropy_but_not_from_a_warning() -> None:
    """A scale of the logits changes no robustness, only what the gradients show of it."""
    attack = PGD(eps=EPS, steps=20)
    honest, _ = diagnosed(Last(lambda logits: logits), attack)
    fooled, found = diagnosed(Last(lambda logits: 3000 * logits), attack)
    assert fooled > honest
    assert found.zero_gradients > 10
    assert found.saturated > found.zero_gradients
    warning = found.warnings()[0]
    assert "the cross-entropy is saturated" in warning
    assert "dlr breaks" in warning
    robust, _ = diagnosed(Last(lambda logits: 3000 * logits), Triage(eps=EPS))
    expected, _ = diagnosed(Last(lambda logits: logits), Triage(eps=EPS))
    assert robust == expected <= honest


def test_steps_that_take_the_gradients_away_are_found_by_an_attack_without_them() -> None:
    staircase = Last(lambda logits: (logits * 4).round() / 4 + 0 * logits)
    attack = Cascade([PGD(eps=EPS, steps=5), RandomNoise(eps=EPS, samples=200)])
    _, found = diagnosed(staircase, attack)
    assert found.zero_gradients > 10
    assert found.black_box_only > 0
    words = " ".join(found.warnings())
    assert "fell only to an attack without gradients" in words
    assert "withstand even an attack that may choose any image" in words


def test_an_attack_downhill_is_found_out() -> None:
    class Downhill(PGD):
        def _ascend(self, candidates: Tensor, gradients: Tensor, pictures: Tensor) -> Tensor:
            return super()._ascend(candidates, -gradients, pictures)

    model = Last(lambda logits: logits)
    _, found = diagnosed(model, Downhill(eps=EPS, random_start=False))
    assert found.not_rising > 30
    assert "no step ever lowered the lead" in found.warnings()[0]


def test_clipped_logits_and_probabilities_are_named() -> None:
    _, found = diagnosed(Last(lambda logits: logits.clamp(-0.05, 0.05)), FGSM(eps=EPS))
    assert "clipped" in " ".join(found.warnings())
    _, found = diagnosed(Last(lambda logits: logits.softmax(1)), FGSM(eps=EPS))
    assert "answers with probabilities" in " ".join(found.warnings())


def test_batch_statistics_in_evaluation_mode_are_found() -> None:
    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = conv_net().float()
            self.norm = nn.BatchNorm2d(3, affine=False, track_running_stats=False)

        def forward(self, pictures: Tensor) -> Tensor:
            logits: Tensor = self.net(self.norm(pictures))
            return logits

    _, found = diagnosed(Centred(), FGSM(eps=EPS))
    assert found.batch_dependent
    assert not found.random_model


def test_what_only_another_restart_finds_is_counted() -> None:
    class Lucky(PGD):
        """One random start."""

    alone, _ = diagnosed(Last(lambda logits: logits), Lucky(eps=EPS, steps=1))
    many = Cascade([Lucky(eps=EPS, steps=1)] * 6)
    robust, found = diagnosed(Last(lambda logits: logits), many)
    assert found.late_restarts == alone - robust > 0
