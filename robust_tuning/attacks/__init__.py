"""Adversarial attacks, and the engine that runs them; they know nothing of training."""

from robust_tuning.attacks.adversary import Adversary
from robust_tuning.attacks.apgd import APGD
from robust_tuning.attacks.audits import Audit, Stratum
from robust_tuning.attacks.autoattack import AutoAttack
from robust_tuning.attacks.base import Attack, AttackState, Budget
from robust_tuning.attacks.cascade import Cascade
from robust_tuning.attacks.diagnostics import Diagnostics
from robust_tuning.attacks.engine import evaluate
from robust_tuning.attacks.examples import AdversarialExamples
from robust_tuning.attacks.fab import FAB
from robust_tuning.attacks.fgsm import FGSM
from robust_tuning.attacks.fmn import FMN
from robust_tuning.attacks.metric import RobustAccuracy
from robust_tuning.attacks.outcomes import Outcomes, Progress
from robust_tuning.attacks.pgd import PGD
from robust_tuning.attacks.random_noise import RandomNoise
from robust_tuning.attacks.speed import Speed
from robust_tuning.attacks.square import Square
from robust_tuning.attacks.threat import ThreatModel, parse_fraction
from robust_tuning.attacks.triage import Triage

__all__ = [
    "APGD",
    "FAB",
    "FGSM",
    "FMN",
    "PGD",
    "AdversarialExamples",
    "Adversary",
    "Attack",
    "AttackState",
    "Audit",
    "AutoAttack",
    "Budget",
    "Cascade",
    "Diagnostics",
    "Outcomes",
    "Progress",
    "RandomNoise",
    "RobustAccuracy",
    "Speed",
    "Square",
    "Stratum",
    "ThreatModel",
    "Triage",
    "evaluate",
    "parse_fraction",
]
