from pathlib import Path

import pytest

from robust_tuning.attacks import PGD, Triage
from robust_tuning.callbacks import AdversarialEvaluation
from robust_tuning.callbacks.adversarial import identify
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import read_points
from tests.runs import make_data, make_evaluation, make_trainer, make_tuner


def test_the_default_is_the_studys_attack() -> None:
    [attack] = AdversarialEvaluation().attacks
    assert isinstance(attack, PGD)
    assert (attack.threat.key, attack.steps, attack.random_start) == ("linf-1/255", 15, True)
    assert attack._step_length == pytest.approx(0.25 / 255)


def test_radii_replace_the_attacks_own_and_scale_its_step() -> None:
    evaluation = AdversarialEvaluation(attack=PGD(steps=3), eps=["1/255", 8 / 255])
    assert [a.threat.key for a in evaluation.attacks] == ["linf-1/255", "linf-8/255"]
    assert all(isinstance(a, PGD) and a.steps == 3 for a in evaluation.attacks)


def test_a_fingerprint_is_of_everything_but_the_radius() -> None:
    same = identify(PGD(eps="4/255"), "input"), identify(PGD(eps="8/255"), "input")
    assert same[0].fingerprint == same[1].fingerprint
    others = [
        identify(PGD(steps=20), "input"),
        identify(PGD(seed=1), "input"),
        identify(PGD(select="last"), "input"),
        identify(PGD(), "native"),
    ]
    assert len({other.fingerprint for other in others} | {same[0].fingerprint}) == 5
    assert others[3].settings["perturb"] == "native"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"eps": []}, "eps is empty"),
        ({"eps": [4]}, "did you mean 4/255"),
        ({"n": 0}, "positive number of examples"),
        ({"batch_size": 0}, "at least 1"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AdversarialEvaluation(**arguments)  # type: ignore[arg-type]  # on purpose


def test_points_carry_the_attack_its_cost_and_its_diagnostics(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path, make_evaluation(n=30))
    trainer.validate(make_tuner(), datamodule=make_data(), verbose=False)
    [point] = read_points(tmp_path)
    correct = point.accuracy.successes
    assert point.attack is not None
    assert point.attack.class_path == "robust_tuning.attacks.pgd.PGD"
    assert list(point.robust_accuracy) == ["linf-2/255", "linf-8/255"]
    assert point.diagnostics["linf-2/255"]["attacked"] == correct
    # Clean pass twice over the first batch; every attacked example takes at least one pass.
    assert point.cost.forward >= 60 + 2 * correct
    assert 2 * correct <= point.cost.backward <= 2 * correct * 16


def test_an_adversary_in_stages_leaves_its_audit_in_the_point(tmp_path: Path) -> None:
    triage = Triage(eps="2/255", restarts=1)
    evaluation = AdversarialEvaluation(attack=triage, eps=["1/255", "2/255"], n=30)
    trainer = make_trainer(tmp_path, evaluation)
    trainer.validate(make_tuner(), datamodule=make_data(), verbose=False)
    [point] = read_points(tmp_path)
    assert point.attack is not None
    assert point.attack.class_path == "robust_tuning.attacks.triage.Triage"
    for diagnostics in point.diagnostics.values():
        left, sampled = diagnostics["audit_left_alone"], diagnostics["audit_sampled"]
        assert 0 <= diagnostics["audit_broken"] <= sampled <= left


def test_inheriting_is_part_of_an_attacks_identity() -> None:
    one, other = (identify(PGD(), "input", inherit=inherit) for inherit in (False, True))
    assert one.fingerprint != other.fingerprint
    assert "inherit" not in one.settings
