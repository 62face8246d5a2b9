from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from timm.layers import DropPath
from torch import Tensor, nn
from torch.utils.data import DataLoader

from robust_tuning.attacks import PGD, Attack, Outcomes, Progress, evaluate
from robust_tuning.data.examples import TensorExamples, collate
from robust_tuning.errors import ConfigurationError, DataError
from robust_tuning.types import Batch
from tests.attacks.toys import Recording, batches, brightness, conv_net, grey, images, labelled

PICTURES = images(60)
NET = conv_net()
LABELS = labelled(NET, PICTURES)
ATTACK = PGD(eps=0.02, steps=5)
KEY = ATTACK.threat.key


def verdicts(outcomes: Outcomes) -> list[NDArray[np.generic]]:
    """All that must not depend on how the examples came."""
    order = np.argsort(outcomes.indices)
    columns = (outcomes.indices, outcomes.labels, outcomes.clean_correct)
    by_threat = (*outcomes.robust.values(), *outcomes.steps.values())
    return [column[order] for column in (*columns, *by_threat)]


def same(one: Outcomes, other: Outcomes) -> bool:
    pairs = zip(verdicts(one), verdicts(other), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_without_a_radius_robust_is_clean() -> None:
    outcomes = evaluate(NET, batches(PICTURES, LABELS), PGD(eps=0))
    assert np.array_equal(outcomes.robust["linf-0"], outcomes.clean_correct)
    assert outcomes.backward == 0
    assert outcomes.steps["linf-0"].tolist() == [0] * 60
    (warning,) = outcomes.diagnostics["linf-0"].warnings()
    assert "the radius is 0" in warning


def test_clean_verdicts_are_the_models_answers() -> None:
    outcomes = evaluate(NET, batches(PICTURES, LABELS), ATTACK)
    expected = (NET(PICTURES).argmax(1) == LABELS).numpy()
    assert np.array_equal(outcomes.clean_correct, expected)
    assert outcomes.labels.tolist() == LABELS.tolist()
    assert 0 < outcomes.robust[KEY].sum() < expected.sum() < 60


def test_a_misclassified_example_is_never_robust() -> None:
    outcomes = evaluate(NET, batches(PICTURES, LABELS), [ATTACK, PGD(eps=0), PGD(eps=0.001)])
    for robust in outcomes.robust.values():
        assert not (robust & ~outcomes.clean_correct).any()


@pytest.mark.parametrize("slots", [1, 7, 64])
@pytest.mark.parametrize("loaded", [1, 7, 60])
def test_no_batch_size_changes_a_verdict(slots: int, loaded: int) -> None:
    expected = evaluate(NET, batches(PICTURES, LABELS, 16), ATTACK, batch_size=16)
    outcomes = evaluate(NET, batches(PICTURES, LABELS, loaded), ATTACK, batch_size=slots)
    assert same(outcomes, expected)
    # Passes depend on the size of the first batch alone, which is read twice.
    assert outcomes.forward - loaded == expected.forward - 16
    assert outcomes.backward == expected.backward


@given(st.permutations(range(20)), st.integers(1, 20))
@settings(max_examples=15, deadline=None)
def test_no_order_changes_a_verdict(order: list[int], slots: int) -> None:
    chosen = torch.tensor(order)
    expected = evaluate(NET, batches(PICTURES[:20], LABELS[:20], 6), ATTACK, batch_size=6)
    shuffled = batches(PICTURES[chosen], LABELS[chosen], 6, indices=chosen)
    outcomes = evaluate(NET, shuffled, ATTACK, batch_size=slots)
    assert outcomes.indices.tolist() == order
    assert same(outcomes, expected)


def test_a_verdict_does_not_depend_on_the_other_examples() -> None:
    expected = evaluate(NET, batches(PICTURES, LABELS), ATTACK).robust[KEY]
    some = torch.tensor([41, 3, 17])
    alone = evaluate(NET, batches(PICTURES[some], LABELS[some], 2, indices=some), ATTACK)
    assert alone.robust[KEY].tolist() == expected[some].tolist()


def test_workers_change_no_verdict() -> None:
    examples = TensorExamples(PICTURES, LABELS, torch.arange(60))
    found = [
        evaluate(NET, DataLoader(examples, 13, num_workers=n, collate_fn=collate), ATTACK)
        for n in (0, 2)
    ]
    assert same(*found)


def test_several_radii_in_one_call_equal_what_separate_calls_imply() -> None:
    attacks: list[Attack] = [PGD(eps=eps, steps=4) for eps in ("1/255", "4/255", 0, "8/255")]
    attacks.append(PGD(eps=0.2, norm="l2", steps=4))
    together = evaluate(NET, batches(PICTURES, LABELS), attacks, batch_size=9)
    alone = [evaluate(NET, batches(PICTURES, LABELS), a, batch_size=9) for a in attacks]
    clean = 60 + 16  # every example once, the first batch twice
    assert list(together.robust) == [attack.threat.key for attack in attacks]
    for attack, single in zip(attacks, alone, strict=True):
        key = attack.threat.key
        within = [
            other.robust[smaller.threat.key]
            for smaller, other in zip(attacks, alone, strict=True)
            if smaller.threat.norm == attack.threat.norm and smaller.threat.eps < attack.threat.eps
        ]
        # Who falls within a smaller ball falls within the larger one.
        assert np.array_equal(
            together.robust[key], np.logical_and.reduce([*within, single.robust[key]])
        )
        new = single.clean_correct & np.logical_and.reduce([*within, single.clean_correct])
        assert np.array_equal(together.steps[key][new], single.steps[key][new])
        assert not together.steps[key][~new].any()
    assert together.forward - clean < sum(single.forward - clean for single in alone)
    assert together.backward < sum(single.backward for single in alone)


def test_without_an_attack_there_are_clean_verdicts_alone() -> None:
    outcomes = evaluate(NET, batches(PICTURES, LABELS), [])
    assert outcomes.clean_correct.sum() == 52
    assert outcomes.robust == {}


# --- passes that can be counted by hand: 10 examples in batches of 4; 4 and then 1 are read again -


def hand_counted(levels: list[float], labels: list[int]) -> Outcomes:
    attack = PGD(eps=0.1, steps=6, step_size=0.02, random_start=False)
    feed = batches(grey(levels), torch.tensor(labels), 4)
    return evaluate(brightness(), feed, attack, batch_size=3, sanity=False)


def test_passes_where_one_step_breaks_every_example() -> None:
    outcomes = hand_counted([0.49] * 10, [0] * 10)
    assert outcomes.forward == 15 + 2 * 10
    assert outcomes.backward == 2 * 10
    assert outcomes.steps["linf-25.5/255"].tolist() == [1] * 10


def test_passes_where_every_example_is_robust() -> None:
    outcomes = hand_counted([0.2] * 10, [0] * 10)
    assert outcomes.robust["linf-25.5/255"].all()
    assert outcomes.forward == 15 + 7 * 10  # the start and six iterates
    assert outcomes.backward == 7 * 10
    assert outcomes.steps["linf-25.5/255"].tolist() == [6] * 10


def test_passes_where_every_example_is_misclassified() -> None:
    outcomes = hand_counted([0.2] * 10, [1] * 10)
    assert not outcomes.robust["linf-25.5/255"].any()
    assert outcomes.forward == 15
    assert outcomes.backward == 0
    assert outcomes.diagnostics["linf-25.5/255"].attacked == 0


def test_passes_of_a_mixture_are_those_of_its_parts() -> None:
    outcomes = hand_counted([0.49, 0.2, 0.45, 0.2, 0.49], [0, 0, 0, 1, 0])
    assert outcomes.forward == 1 + 4 + 5 + (2 + 7 + 4 + 0 + 2)


def test_slots_are_refilled_as_long_as_there_are_examples() -> None:
    net = Recording(brightness())
    attack = PGD(eps=0.1, steps=6, step_size=0.02, random_start=False)
    levels = [0.49, 0.2, 0.45, 0.47] * 10
    feed = batches(grey(levels), torch.zeros(40, dtype=torch.int64), 10)
    evaluate(net, feed, attack, batch_size=8, sanity=False)
    assert net.sizes[:3] == [10, 10, 1]
    attacked = [size for size in net.sizes[3:] if size != 10]
    full = attacked.index(next(size for size in attacked if size < 8))
    assert attacked[:full] == [8] * full
    # 40 examples of 2, 7, 4 and 3 passes make 160; a drain of at most seven passes ends it.
    assert sum(attacked) == 160
    assert len(attacked) - full <= 7
    assert attacked[full:] == sorted(attacked[full:], reverse=True)


def test_examples_are_read_only_as_slots_become_free() -> None:
    taken: list[int] = []
    seen: list[int] = []

    def feed() -> object:
        for number, batch in enumerate(batches(PICTURES, LABELS, 6)):
            taken.append(number)
            yield batch

    class Watching(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            seen.append(len(taken))
            logits: Tensor = NET(pictures)
            return logits

    evaluate(Watching(), feed(), ATTACK, batch_size=6)  # type: ignore[arg-type]  # a generator
    assert seen.count(1) > 2, "the first batch is attacked before the rest is read"


# --- models that cannot be trusted ----------------------------------------------------------------


def test_dropout_and_stochastic_depth_in_training_mode_are_not_random() -> None:
    net = nn.Sequential(nn.Dropout(0.5), DropPath(0.5), conv_net()).train()
    outcomes = evaluate(net, batches(PICTURES, LABELS), ATTACK)
    assert not outcomes.diagnostics[KEY].random_model
    assert same(outcomes, evaluate(NET, batches(PICTURES, LABELS), ATTACK))


def test_a_model_that_is_random_in_evaluation_mode_is_flagged() -> None:
    class Noisy(nn.Module):
        def forward(self, pictures: Tensor) -> Tensor:
            logits: Tensor = NET(nn.functional.dropout(pictures, 0.1, training=True))
            return logits

    outcomes = evaluate(Noisy(), batches(PICTURES, LABELS), ATTACK)
    assert outcomes.diagnostics[KEY].random_model
    assert any("random" in warning for warning in outcomes.diagnostics[KEY].warnings())


def test_saturated_logits_are_reported_not_believed() -> None:
    # In float32 the gradient is exactly zero where the other classes lie 104 below.
    class Scaled(nn.Module):
        def __init__(self, factor: float) -> None:
            super().__init__()
            self.net = conv_net(scale=400).float()
            self.factor = factor

        def forward(self, pictures: Tensor) -> Tensor:
            logits: Tensor = self.net(pictures) * self.factor
            return logits

    pictures = images(60).float()
    found = {}
    for factor in (1, 300):
        net = Scaled(factor)
        outcomes = evaluate(net, batches(pictures, labelled(net, pictures)), ATTACK)
        found[factor] = (outcomes.robust[KEY].sum(), outcomes.diagnostics[KEY])
    assert found[1][1].warnings() == []
    assert found[300][0] > found[1][0], "saturation must hide adversarial examples here"
    assert found[300][1].zero_gradients > 10
    (warning,) = [w for w in found[300][1].warnings() if "all gradients" in w]
    assert "are zero: the cross-entropy is saturated" in warning
    assert "scale-free loss dlr breaks" in warning


@pytest.mark.parametrize("attack", [ATTACK, PGD(eps=0.2, norm="l2", steps=5)], ids=["linf", "l2"])
def test_gradients_that_are_no_numbers_are_counted_and_do_not_stop_the_attack(
    attack: Attack,
) -> None:
    class Cornered(nn.Module):
        """The square root of nothing: value 0, gradient NaN, at the last pixel."""

        def forward(self, pictures: Tensor) -> Tensor:
            last = pictures[:, -1, -1, -1]
            logits: Tensor = NET(pictures)
            return logits + (last - last).abs().sqrt()[:, None] * torch.ones(4)

    key = attack.threat.key
    outcomes = evaluate(Cornered(), batches(PICTURES, LABELS), attack)
    seen = outcomes.diagnostics[key]
    assert seen.bad_gradients == seen.attacked == 52
    assert any("100% of the attacked examples" in warning for warning in seen.warnings())
    healthy = evaluate(NET, batches(PICTURES, LABELS), attack).robust[key].sum()
    # One blind pixel is no defence, and what is no number breaks nothing by itself.
    assert healthy <= outcomes.robust[key].sum() <= healthy + 3


# --- what is refused ------------------------------------------------------------------------------


def feed_of(pictures: Tensor, labels: Tensor | None = None) -> list[Batch]:
    labels = torch.zeros(len(pictures), dtype=torch.int64) if labels is None else labels
    return batches(pictures, labels)


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        (grey([0.5, 1.001]), r"lie in \[0.5, 1.001\], expected \[0, 1\]"),
        (grey([0.5, -0.001]), r"lie in \[-0.001, 0.5\], expected \[0, 1\]"),
        (grey([0.5, float("nan")]), r"lie in \[nan, nan\], expected \[0, 1\]"),
        (grey([0.5]).mul(255).to(torch.uint8), r"torch.uint8 .* expected float32"),
        (grey([0.5]).half(), r"torch.float16 .* expected float32"),
        (grey([0.5])[0], r"of shape \(3, 6, 6\), expected float32 \(B, C, H, W\)"),
    ],
)
def test_images_that_are_not_pixels_in_0_1_are_refused(pictures: Tensor, words: str) -> None:
    with pytest.raises(DataError, match=words):
        evaluate(NET, feed_of(pictures), ATTACK)


def test_a_bad_image_in_a_later_batch_is_found_too() -> None:
    pictures = images(60)
    pictures[50, 0, 0, 0] = 2
    with pytest.raises(DataError, match=r"expected \[0, 1\]"):
        evaluate(NET, feed_of(pictures), ATTACK)


@pytest.mark.parametrize("label", [-1, 4, 1000])
def test_labels_that_are_no_class_of_the_model_are_refused(label: int) -> None:
    with pytest.raises(DataError, match=rf"{label}.* the model has 4 classes"):
        evaluate(NET, feed_of(images(2), torch.tensor([label, 1])), ATTACK)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_logits_that_are_not_finite_are_refused(value: float) -> None:
    net = conv_net()
    with torch.no_grad():
        dict(net.named_parameters())["5.bias"][2] = value
    with pytest.raises(DataError, match=r"logits are not finite.*learning rate"):
        evaluate(net, batches(PICTURES, LABELS), ATTACK)


@pytest.mark.parametrize("empty", [[], feed_of(images(0)), [Batch(*[PICTURES[:0]] * 3)]])
def test_no_examples_are_refused(empty: list[Batch]) -> None:
    with pytest.raises(DataError, match="no examples to evaluate"):
        evaluate(NET, empty, ATTACK)


def test_an_empty_batch_among_others_changes_nothing() -> None:
    full = batches(PICTURES, LABELS)
    outcomes = evaluate(NET, [*full[:2], Batch(*(part[:0] for part in full[0])), *full[2:]], ATTACK)
    assert same(outcomes, evaluate(NET, full, ATTACK))


def test_two_attacks_with_one_threat_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="same threat: linf-1/255, linf-1/255"):
        evaluate(NET, batches(PICTURES, LABELS), [PGD(), PGD(steps=2)])


@pytest.mark.parametrize("size", [0, -3])
def test_a_batch_size_below_one_is_refused(size: int) -> None:
    with pytest.raises(ConfigurationError, match=f"batch_size is {size}, expected at least 1"):
        evaluate(NET, batches(PICTURES, LABELS), ATTACK, batch_size=size)


# --- progress -------------------------------------------------------------------------------------


def test_progress_grows_to_the_whole_and_ends_with_the_verdict() -> None:
    seen: list[Progress] = []
    loader = DataLoader(TensorExamples(PICTURES, LABELS, torch.arange(60)), 16, collate_fn=collate)
    attacks = [ATTACK, PGD(eps=0)]
    outcomes = evaluate(NET, loader, attacks, batch_size=8, on_progress=seen.append)
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert (done[-1], seen[-1].total) == (120, 120)
    assert len(set(done)) > 5
    expected = {key: robust.mean() for key, robust in outcomes.robust.items()}
    assert seen[-1].robust_accuracy == pytest.approx(expected)


def test_progress_knows_every_radius_from_the_first_step() -> None:
    seen: list[Progress] = []
    attacks: list[Attack] = [PGD(eps=eps, steps=3) for eps in ("1/255", "4/255", "8/255")]
    evaluate(NET, batches(PICTURES, LABELS), attacks, batch_size=8, on_progress=seen.append)
    shares = [list(progress.robust_accuracy.values()) for progress in seen]
    assert np.isfinite(shares).all()
    assert shares[0] == [shares[0][0]] * 3
    assert shares[-1] == sorted(shares[-1], reverse=True)


def test_the_total_is_unknown_where_no_dataset_says_it_and_can_be_given() -> None:
    seen: list[Progress] = []
    evaluate(NET, batches(PICTURES, LABELS), ATTACK, on_progress=seen.append)
    assert seen[-1] == replace(seen[-1], done=60, total=None)
    evaluate(NET, batches(PICTURES, LABELS), ATTACK, total=60, on_progress=seen.append)
    assert seen[-1].total == 60
