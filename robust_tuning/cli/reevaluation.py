"""Attacking the stored points of a run again."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from robust_tuning import __version__
from robust_tuning.attacks import Adversary, Outcomes, Speed, evaluate
from robust_tuning.attacks.estimate import Estimate, estimate
from robust_tuning.attacks.examples import Kept
from robust_tuning.attacks.journal import Journal
from robust_tuning.callbacks.adversarial import (
    Conditions,
    at_radii,
    folding,
    identify,
    report_signs,
    to_measurement,
)
from robust_tuning.callbacks.evaluation import prepared
from robust_tuning.callbacks.measurement import Measurement
from robust_tuning.callbacks.points import sentence
from robust_tuning.callbacks.progress import announce, standalone_bar
from robust_tuning.callbacks.recorder import stored_points
from robust_tuning.cli.stored_run import build_data, points_with_weights, read_config
from robust_tuning.frontier import AttackIdentity, FrontierPoint, Run, append_point
from robust_tuning.frontier.outcomes import outcomes_path
from robust_tuning.trajectory import load_point, trajectory_path
from robust_tuning.tuner import RobustTuner
from robust_tuning.types import Batch, Split

# Threats that a folder's name lists; longer names do not fit every file system.
_SPELT_OUT = 4


@dataclass(frozen=True)
class Plan:
    """What is done to each point.

    Attributes:
        attack: The attack.
        eps: Radii; None takes those of the run.
        inherit: See `evaluate`.
        audit: See `evaluate`.
        split: Where the examples come from.
        n: How many; None takes as many as the run did.
        batch_size: Examples attacked at a time.
        device: Where.
        speed: How gradients may be had faster.
        keep: As what adversarial images are saved; None saves none.
        pretrained: The backbone's weights file, where it has moved.
        steps: Which points; None takes all.
    """

    attack: Adversary
    eps: Sequence[float | str] | None
    inherit: bool
    audit: int
    split: Split
    n: int | None
    batch_size: int
    device: torch.device
    speed: Speed
    keep: Kept | None
    pretrained: str | None
    steps: Sequence[int] | None = None

    @property
    def conditions(self) -> Conditions:
        """What decides a robust accuracy besides the attack."""
        audit = self.audit if self.inherit else None
        return Conditions(audit, low_precision=self.speed.lowers_precision(self.device))


class Reevaluation:
    """One run, and what is to be done to its stored points.

    Attributes:
        adversaries: Who attacks, at each radius.
        folder: Where the results are, below `RUN/evaluations/` and itself in the form of a run.
        due: Points that have no result there.

    Args:
        run: The run.
        plan: What is done; radii and number of examples default to those of the run.

    Raises:
        RunError: If the run keeps no weights or no configuration.
    """

    def __init__(self, run: Run, plan: Plan) -> None:
        self._run = run
        self._plan = plan
        points = points_with_weights(run, plan.steps)
        config = read_config(run.folder)
        own = config.get("adversarial") or {}
        self.adversaries = at_radii(plan.attack, plan.eps or _radii(own))
        self._n = own.get("n") if plan.n is None else plan.n
        self._data = build_data(config["data"])
        perturb = self._load(points[0]).backbone.perturb
        self._identity = identify(plan.attack, perturb, plan.conditions)
        self.folder = self._folder(self._identity)
        done = {known.step for known in stored_points(self.folder)}
        self.due = [point for point in points if point.step not in done]

    def expected(self) -> tuple[Estimate, float]:
        """The passes that the points due will take about, and the seconds.

        Where a point knows nothing of a threat, all that it classifies correctly are assumed to
        survive: then it is an upper bound. The seconds are those of a batch that is tried out.
        """
        total = Estimate(0, 0)
        if not self.due:
            return total, 0.0
        tuner = self._load(self.due[0])
        loader = self._examples(tuner)
        forth, back = _pace(tuner, next(iter(prepared(tuner, loader))), self._plan)
        for point in self.due:
            known = {threat: e.value for threat, e in point.robust_accuracy.items()}
            audit = self._plan.audit if self._plan.inherit else None
            passes = estimate(
                self.adversaries,
                tuner.num_classes,
                _size(loader),
                point.accuracy.value,
                known,
                audit=audit,
            )
            total = total.plus(passes)
        return total, (total.forward - total.backward) * forth + total.backward * back

    def expected_in_words(self) -> str:
        """What `expected` says."""
        passes, seconds = self.expected()
        threats = ", ".join(adversary.threat.key for adversary in self.adversaries)
        return (
            f"under {threats}; about {passes.forward:,.0f} forward and {passes.backward:,.0f} "
            f"backward passes, {duration(seconds)} on {self._plan.device}; an upper bound for "
            "threats that the run does not know"
        )

    def evaluate(self, point: FrontierPoint, title: str) -> None:
        """Evaluate a point and store what is found; an interrupted evaluation goes on."""
        tuner = self._load(point)
        loader = self._examples(tuner)
        weights = trajectory_path(self._run.folder, point.step).read_bytes()
        name = f"step-{point.step:08d}-{sha256(weights).hexdigest()[:8]}.jsonl"
        journal = Journal(self.folder / "journal" / name)
        with standalone_bar(title, _size(loader) * len(self.adversaries)) as bar:
            outcomes = evaluate(
                tuner.backbone,
                prepared(tuner, loader),
                self.adversaries,
                batch_size=self._plan.batch_size,
                inherit=self._plan.inherit,
                audit=self._plan.audit,
                speed=self._plan.speed,
                folded=folding(tuner),
                keep=self._plan.keep,
                journal=journal,
                total=_size(loader),
                on_progress=bar.update,
            )
        report_signs(outcomes, title)
        self._save_images(point, outcomes)
        store(self.folder, point, to_measurement(outcomes, self._identity, self._plan.split))
        journal.remove()

    def _load(self, point: FrontierPoint) -> RobustTuner:
        path = trajectory_path(self._run.folder, point.step)
        return load_point(path, pretrained=self._plan.pretrained).to(self._plan.device)

    def _examples(self, tuner: RobustTuner) -> DataLoader[Batch]:
        self._data.match(tuner.backbone.image_input)
        examples = self._data.evaluation_examples(self._plan.split, self._n)
        return self._data.evaluation_loader(examples)

    def _save_images(self, point: FrontierPoint, outcomes: Outcomes) -> None:
        for threat, found in outcomes.adversarial.items():
            name = f"step-{point.step:08d}-{threat.replace('/', 'of')}.npz"
            found.save(self.folder / "adversarial" / name)

    def _folder(self, attack: AttackIdentity) -> Path:
        """A place for everything that makes the results others."""
        keys = [adversary.threat.key for adversary in self.adversaries]
        threats = "_".join(keys).replace("/", "of")
        if len(keys) > _SPELT_OUT:
            threats = f"{len(keys)}-threats-{sha256(threats.encode()).hexdigest()[:8]}"
        count = "all" if self._n is None else str(self._n)
        name = f"{attack.fingerprint}-{self._plan.split}-{count}-{threats}"
        return self._run.folder / "evaluations" / name


def _pace(tuner: RobustTuner, batch: Batch, plan: Plan) -> tuple[float, float]:
    """Seconds per example of a forward pass, and of one forth and back."""
    images = batch.images[: plan.batch_size].clone()
    model = tuner.backbone.eval()

    def forth() -> None:
        with torch.no_grad():
            model(images)

    def back() -> None:
        watched = images.detach().requires_grad_()
        torch.autograd.grad(model(watched).logsumexp(1).sum(), watched)

    taken = []
    for work in (forth, back):
        work()  # the first time is slower
        began = time.perf_counter()
        work()
        if images.is_cuda:
            torch.cuda.synchronize()
        taken.append((time.perf_counter() - began) / len(images))
    return taken[0], taken[1]


def _radii(settings: Mapping[str, Any]) -> Sequence[float | str] | None:
    """Those that a run was evaluated at: a list of its own, or that of its attack."""
    listed: Sequence[float | str] | None = settings.get("eps")
    attack = settings.get("attack")
    if listed is not None or not isinstance(attack, Mapping):
        return listed
    eps = (attack.get("init_args") or {}).get("eps")
    return None if eps is None else [eps]


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _size(loader: DataLoader[Batch]) -> int:
    return len(loader.dataset)  # type: ignore[arg-type]  # sized by contract


def store(folder: Path, point: FrontierPoint, found: Measurement) -> None:
    """Store what was found in place of what the point said."""
    found.outcomes.write(outcomes_path(folder, point.step, found.split))
    measured = replace(
        point,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=__version__,
        split=found.split,
        accuracy=found.accuracy,
        robust_accuracy=found.robust_accuracy,
        ood_accuracy=found.ood_accuracy,
        attack=found.attack,
        cost=found.cost,
        diagnostics=found.diagnostics,
        shifts=found.shifts,
        calibration=found.calibration,
    )
    append_point(folder, measured)
    announce(sentence(measured))
