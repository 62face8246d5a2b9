from typing import Any

import pytest

from robust_tuning.attacks import APGD, FAB, AutoAttack, Square, evaluate
from robust_tuning.attacks.official import OfficialAutoAttack, Version
from robust_tuning.errors import ConfigurationError
from robust_tuning.plugins import from_spec, spec_of
from robust_tuning.types import Norm
from tests.attacks.toys import batches, conv_net, images, labelled

NET = conv_net(4).float()
PICTURES = images(24).float()
LABELS = labelled(NET, PICTURES)


def run(adversary: AutoAttack) -> Any:
    return evaluate(NET, batches(PICTURES, LABELS, 24), adversary, batch_size=24, sanity=False)


def described(adversary: AutoAttack, classes: int = 1000) -> list[str]:
    """Each stage in a word, with what makes it differ from the next."""
    found = []
    for stage in adversary.stages(classes):
        attack = stage.attack
        assert (attack.threat, attack.seed) == (adversary.threat, adversary.seed)
        assert stage.gate is None
        match attack:
            case APGD():
                assert attack.steps == 100
                word = "wide " * attack.wide + f"{attack.loss} {attack.target} x{attack.eot}"
            case FAB():
                assert attack.steps == 100
                word = f"fab {attack.target}+{attack.rivals} x{attack.restarts}"
            case Square():
                assert attack.queries == 5000
                word = "square"
        found.append(word)
    return found


CE, DLR, FAR, SQUARE = "ce 1 x1", "dlr 1 x1", "wide ce 1 x1", "square"
TARGETED = [f"dlr_targeted {rank} x1" for rank in range(1, 10)]
FABS = [f"fab {rank}+1 x1" for rank in range(1, 10)]
EVERY_CLASS = "fab 1+999 x5"


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_standard_is_the_official_one(norm: Norm) -> None:
    assert described(AutoAttack(norm=norm)) == [CE, *TARGETED, *FABS, SQUARE]


def test_under_l1_it_runs_through_larger_balls() -> None:
    wide = [f"wide {word}" for word in TARGETED[:5]]
    assert described(AutoAttack(norm="l1", seed=3)) == [*[FAR] * 5, *wide, *FABS, SQUARE]


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_plus_is_the_official_one(norm: Norm) -> None:
    expected = [*[CE] * 5, *[DLR] * 5, EVERY_CLASS, SQUARE, *TARGETED, *FABS]
    assert described(AutoAttack(norm=norm, version="plus")) == expected


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_rand_is_the_official_one(norm: Norm) -> None:
    assert described(AutoAttack(norm=norm, version="rand")) == ["ce 1 x20", "dlr 1 x20"]


def test_a_model_with_few_classes_has_fewer_targets() -> None:
    assert described(AutoAttack(), 4) == [CE, *TARGETED[:3], *FABS[:3], SQUARE]
    assert described(AutoAttack(norm="l1"), 4)[5:8] == [f"wide {word}" for word in TARGETED[:3]]
    plus = described(AutoAttack(version="plus"), 4)
    assert plus[10:] == ["fab 1+3 x5", SQUARE, *TARGETED[:3], *FABS[:3]]


@pytest.mark.parametrize("version", ["standard", "plus", "rand"])
@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_reference_is_the_official_code_of_that_version(norm: Norm, version: Version) -> None:
    adversary = AutoAttack(eps=0.25, norm=norm, version=version, reference=True, seed=5)
    (stage,) = from_spec(spec_of(adversary)).stages(7)
    assert isinstance(stage.attack, OfficialAutoAttack)
    expected = OfficialAutoAttack(eps=0.25, norm=norm, version=version, classes=7, seed=5)
    assert spec_of(stage.attack) == spec_of(expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "norm", "eps"),
    [
        ("standard", "linf", 0.012),
        ("standard", "l2", 0.15),
        ("standard", "l1", 0.6),
        # Under other norms it is made of the same attacks, each of which is held against its own
        # official code there.
        ("plus", "linf", 0.012),
        ("rand", "linf", 0.012),
        ("rand", "l2", 0.15),
        ("rand", "l1", 0.3),
    ],
)
def test_the_robust_set_is_that_of_the_official_code_at_fewer_passes(
    version: Version, norm: Norm, eps: float
) -> None:
    adversary = AutoAttack(eps=eps, norm=norm, version=version)
    ours = run(adversary)
    official = run(AutoAttack(eps=eps, norm=norm, version=version, reference=True))
    key = adversary.threat.key
    assert 5 < official.robust[key].sum() < official.clean_correct.sum() - 5
    # The random starts differ: one example may fall to one of them alone.
    assert (ours.robust[key] != official.robust[key]).sum() <= 1
    assert ours.forward + ours.backward < official.forward + official.backward


def test_few_classes_and_other_versions_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"at least 4 classes .* has 2: use a Cascade"):
        AutoAttack().stages(2)
    with pytest.raises(ConfigurationError, match=r"version 'plus' needs at least 4 classes"):
        AutoAttack(version="plus", reference=True).stages(3)
    with pytest.raises(ConfigurationError, match=r"at least 3 classes .* APGD with eot 20"):
        AutoAttack(version="rand").stages(2)
    assert AutoAttack(version="rand").stages(3)
    with pytest.raises(ConfigurationError, match="version is 'fast', expected 'standard', 'plus'"):
        AutoAttack(version="fast")  # type: ignore[arg-type]  # as from a file
