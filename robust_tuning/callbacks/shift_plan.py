"""What is measured on shifted images, what it is called, and what it costs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from robust_tuning.attacks import Adversary, Speed
from robust_tuning.callbacks.adversarial import Conditions, identify
from robust_tuning.frontier import ShiftIdentity
from robust_tuning.plugins import spec_of
from robust_tuning.shifts import Shift, ShiftedSet
from robust_tuning.shifts.cache import Cache
from robust_tuning.tuner import RobustTuner


@dataclass(frozen=True)
class ShiftPlan:
    """What is measured.

    Attributes:
        shifts: On what.
        adversaries: Who attacks the shifted images, at each radius; none leaves them alone.
        batch_size: Examples attacked at a time.
        speed: How gradients may be had faster.
        cache: Where shifted images are kept.
        cache_dir: Folder of the disk cache.
    """

    shifts: Sequence[Shift]
    adversaries: Sequence[Adversary] = ()
    batch_size: int = 64
    speed: Speed = Speed()  # noqa: RUF009  frozen
    cache: Cache = "none"
    cache_dir: str | None = None


@dataclass(frozen=True)
class Price:
    """What one evaluation will take, about.

    Attributes:
        sets: How many there are.
        images: Of all of them, clean ones included.
        changed: How many of those are computed first.
        seconds: Without any attack.
        gradients: Backward passes of attacks at most.
    """

    sets: int
    images: int
    changed: int
    seconds: float
    gradients: int

    def __str__(self) -> str:
        attack = f", at most {self.gradients:,} gradients of attacks on top" * bool(self.gradients)
        return (
            f"{self.sets} shifted sets: {self.images:,} images to classify, {self.changed:,} of "
            f"them computed first, about {self.seconds:.0f} s each time{attack}"
        )


def identities(
    plan: ShiftPlan, sets: Mapping[str, Sequence[ShiftedSet]], tuner: RobustTuner
) -> dict[str, ShiftIdentity]:
    """Name each shift, and each attack on its images, with everything that decides the numbers.

    Args:
        plan: What was measured.
        sets: By name of the shift.
        tuner: The model, for where perturbations live and how gradients are had.
    """
    found = {}
    for shift in plan.shifts:
        spec = spec_of(shift)
        given = {k: v for k, v in spec["init_args"].items() if k not in shift.places}
        settings = {**given, **sets[shift.name][0].settings}
        keys = [one.key for one in sets[shift.name]]
        found[shift.name] = _identity(spec["class_path"], settings, keys)
        for adversary in plan.adversaries:
            threat = adversary.threat.key
            lowers = plan.speed.lowers_precision(tuner.device)
            attack = identify(adversary, tuner.backbone.perturb, Conditions(low_precision=lowers))
            attacked = {
                **settings,
                "attack": {"class_path": attack.class_path, "settings": attack.settings},
            }
            found[f"{shift.name}/{threat}"] = _identity(
                spec["class_path"], attacked, [f"{key}/{threat}" for key in keys]
            )
    return found


def _identity(
    class_path: str, settings: Mapping[str, object], keys: Sequence[str]
) -> ShiftIdentity:
    text = json.dumps([class_path, settings], sort_keys=True)
    return ShiftIdentity(class_path, settings, sha256(text.encode()).hexdigest()[:16], tuple(keys))
