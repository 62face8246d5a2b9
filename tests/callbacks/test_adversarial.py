from pathlib import Path

import pytest

from robust_tuning.attacks import PGD, Triage, evaluate
from robust_tuning.callbacks import AdversarialEvaluation
from robust_tuning.callbacks.adversarial import Conditions, folding, identify
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.errors import ConfigurationError
from robust_tuning.frontier import read_points
from robust_tuning.strategies import FullFineTuning, LoRA
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


def test_warm_starts_and_low_precision_are_part_of_an_attacks_identity() -> None:
    conditions = (Conditions(), Conditions(warm_start=True), Conditions(low_precision=True))
    prints = {identify(PGD(), "input", condition).fingerprint for condition in conditions}
    assert len(prints) == 3


def test_warm_starts_lower_no_point_but_those_after_the_first(tmp_path: Path) -> None:
    points = {}
    for warm in (False, True):
        folder = tmp_path / str(warm)
        attack = PGD(steps=2)
        trainer = make_trainer(folder, make_evaluation(attack=attack, n=60, warm_start=warm))
        trainer.fit(make_tuner(lr=1e-6), datamodule=make_data())
        points[warm] = read_points(folder)
    cold, warmed = points[False], points[True]
    assert [p.step for p in cold] == [p.step for p in warmed]
    assert cold[0].robust_accuracy == warmed[0].robust_accuracy
    for one, other in zip(cold, warmed, strict=True):
        for threat, estimate in one.robust_accuracy.items():
            assert other.robust_accuracy[threat].value <= estimate.value
    same = [
        one.cost.backward == other.cost.backward for one, other in zip(cold, warmed, strict=True)
    ]
    assert same == [True, False]  # the first evaluation has nothing to begin from
    assert warmed[0].attack is not None
    assert warmed[0].attack.settings["warm_start"] is True


def test_adapters_are_folded_for_gradients_and_no_verdict_changes(tmp_path: Path) -> None:
    folded, kept = make_tuner(LoRA()), make_tuner(FullFineTuning())
    assert folding(kept) is None
    for tuner in (folded, kept):
        tuner.configure_model()
    within = folding(folded)
    assert within is not None
    layer = next(m for m in folded.backbone.modules() if hasattr(m, "merged"))
    with within():
        assert layer.merged
    assert not layer.merged
    examples = make_data().evaluation_loader(make_data().evaluation_examples("validation", 60))
    plain, fast = (
        evaluate(folded.backbone, prepared(folded, examples), PGD(eps="2/255"), folded=how)
        for how in (None, within)
    )
    assert (plain.robust["linf-2/255"] == fast.robust["linf-2/255"]).all()
    assert fast.forward > plain.forward  # the model itself confirms


def test_inheriting_is_part_of_an_attacks_identity() -> None:
    one, other = (identify(PGD(), "input", Conditions(audit)) for audit in (None, 60))
    assert one.fingerprint != other.fingerprint
    assert "inherit" not in one.settings


def test_a_shortcut_is_reported_with_the_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    evaluation = AdversarialEvaluation(
        attack=PGD(steps=2), eps=["1/255", "2/255"], n=30, inherit=True, audit=3
    )
    trainer = make_trainer(tmp_path, evaluation)
    with caplog.at_level("INFO", logger="robust_tuning"):
        trainer.validate(make_tuner(), datamodule=make_data(), verbose=False)
    (message,) = [m for m in caplog.messages if "overstated" in m]
    [point] = read_points(tmp_path)
    robust = 100 * point.robust_accuracy["linf-1/255"].value
    bound = 100 * point.diagnostics["linf-1/255"]["audit_overstated_at_most"] / 30
    assert f"linf-1/255: robust {robust:.1f} %, at most {bound:.1f} points overstated" in message
