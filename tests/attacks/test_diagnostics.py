import pytest

from robust_tuning.attacks.diagnostics import Diagnostics


def test_a_healthy_attack_has_nothing_to_report() -> None:
    assert Diagnostics(10, 0, 0, random_model=False).warnings() == []


@pytest.mark.parametrize(
    ("diagnostics", "words"),
    [
        (Diagnostics(10, 4, 0, random_model=False), ["40%", "zero", "not to be trusted"]),
        (Diagnostics(10, 0, 3, random_model=False), ["30%", "not finite", "not to be trusted"]),
        (Diagnostics(10, 0, 0, random_model=True), ["random in evaluation mode"]),
        (Diagnostics(0, 0, 0, random_model=True), ["random in evaluation mode"]),
    ],
)
def test_each_bad_sign_is_put_in_words(diagnostics: Diagnostics, words: list[str]) -> None:
    (warning,) = diagnostics.warnings()
    assert all(word in warning for word in words)


def test_several_bad_signs_are_all_reported() -> None:
    assert len(Diagnostics(10, 1, 1, random_model=True).warnings()) == 3
