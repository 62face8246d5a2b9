from robust_tuning.attacks import APGD, PGD
from robust_tuning.plugins import spec_of


def test_alone_an_attack_is_an_adversary_with_one_stage() -> None:
    attack = PGD(eps=0.1)
    (stage,) = attack.stages(10)
    assert stage.attack is attack
    assert stage.gate is None


def test_another_radius_changes_nothing_else() -> None:
    attack = APGD(eps="1/255", norm="l2", loss="dlr", steps=7, seed=3)
    other = attack.at("4/255")
    assert isinstance(other, APGD)
    assert (other.threat.eps, attack.threat.eps) == (4 / 255, 1 / 255)
    before, after = spec_of(attack)["init_args"], spec_of(other)["init_args"]
    assert {key for key in before if before[key] != after[key]} == {"eps"}
