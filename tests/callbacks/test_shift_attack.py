import torch

from robust_tuning.attacks import PGD, evaluate
from robust_tuning.callbacks.shift_attack import attack_shifted
from robust_tuning.callbacks.shift_plan import ShiftPlan
from robust_tuning.data import Digits
from robust_tuning.data.examples import collate
from robust_tuning.shifts import Corruptions, LabelMap, ShiftedSet
from robust_tuning.shifts.corruptions import Corruption
from tests.runs import make_tuner

N = 16


def shown(labels: LabelMap) -> ShiftedSet:
    examples = Digits().evaluation_examples("validation", N)
    return ShiftedSet("contrast-2", examples, labels, Corruption("contrast", 2, "cifar"))


def test_the_attack_is_that_on_images_that_were_shifted_beforehand() -> None:
    tuner, data = make_tuner(), Digits()
    adversary = PGD(eps="6/255", steps=4)
    one = shown(LabelMap.identity(data.class_names))
    plan = ShiftPlan([Corruptions()], adversaries=[adversary], batch_size=5)
    done: list[int] = []
    found = attack_shifted(tuner, one, data.evaluation_loader, plan, done.append)
    assert sum(done) == N
    batch = collate([one.examples[i] for i in range(N)])
    images = Corruption("contrast", 2, "cifar")((batch.images * 255).round().byte(), batch.indices)
    by_hand = evaluate(
        tuner.backbone, [(images.float() / 255, batch.labels, batch.indices)], adversary
    )
    key = adversary.threat.key
    assert found.robust[key].tolist() == by_hand.robust[key].tolist()
    assert found.clean_correct.tolist() == by_hand.clean_correct.tolist()
    assert found.labels.tolist() == batch.labels.tolist()


def test_masked_classes_are_no_target_of_the_attack_either() -> None:
    tuner, data = make_tuner(), Digits()
    names = tuple(name for name in data.class_names if name != "3")
    labels = LabelMap.by_name(names, data.class_names, masked=True)
    examples = Digits().dataset("validation")
    kept = [i for i, label in enumerate(Digits().labels("validation")) if label != 3][:N]
    one = ShiftedSet("some", torch.utils.data.Subset(examples, kept), labels)
    plan = ShiftPlan([Corruptions()], adversaries=[PGD(eps=0.0)])
    found = attack_shifted(tuner, one, data.evaluation_loader, plan)
    with torch.no_grad():
        batch = collate([one.examples[i] for i in range(N)])
        logits = tuner.eval()(batch.images)
    logits[:, 3] = -torch.inf
    assert found.clean_correct.tolist() == (logits.argmax(1) == batch.labels).tolist()
    assert found.labels.tolist() == batch.labels.tolist()
