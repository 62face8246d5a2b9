from robust_tuning.attacks import PGD
from robust_tuning.callbacks.shift_plan import Price, ShiftPlan, identities
from robust_tuning.data import Digits
from robust_tuning.shifts import Corruptions, Shift
from tests.runs import make_tuner


def prints(shift: Shift, *adversaries: PGD) -> dict[str, str]:
    sets = {shift.name: shift.sets(Digits(), "validation", 2)}
    named = identities(ShiftPlan([shift], adversaries=adversaries), sets, make_tuner())
    return {name: identity.fingerprint for name, identity in named.items()}


def test_everything_that_decides_a_number_is_in_the_fingerprint() -> None:
    one = prints(Corruptions(severities=[1]))
    assert one == prints(Corruptions(severities=[1]))
    assert one != prints(Corruptions(severities=[2]))
    # The same table, whether it was chosen or found: but a setting that was written otherwise.
    tables = [prints(Corruptions(severities=[1], table=t)) for t in ("cifar", "imagenet")]
    assert tables[0] != tables[1]


def test_an_attack_has_a_name_of_its_own_below_the_shift() -> None:
    shift = Corruptions(severities=[1])
    weak = prints(shift, PGD(eps="1/255", steps=2), PGD(eps="2/255", steps=2))
    assert list(weak) == ["corruptions", "corruptions/linf-1/255", "corruptions/linf-2/255"]
    strong = prints(shift, PGD(eps="1/255", steps=9))
    assert weak["corruptions"] == strong["corruptions"]
    assert weak["corruptions/linf-1/255"] != strong["corruptions/linf-1/255"]


def test_a_price_in_words() -> None:
    assert str(Price(75, 7600, 7500, 12.4, 0)) == (
        "75 shifted sets: 7,600 images to classify, 7,500 of them computed first, about 12 s each "
        "time"
    )
    assert str(Price(1, 20, 0, 3, 500)).endswith(
        "each time, at most 500 gradients of attacks on top"
    )
