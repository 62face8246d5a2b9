"""What one point is to another: a repetition, a part, a rival; and a point in words."""

from dataclasses import replace

from robust_tuning.frontier import Cost, Estimate, FrontierPoint, pareto_mask
from robust_tuning.frontier.by_threat import by_threat


def is_repetition(point: FrontierPoint, known: FrontierPoint) -> bool:
    """Whether the same model state was evaluated in the same way, with the same result."""
    measured = ("robust_accuracy", "ood_accuracy")
    keys = ["step", "split", *(key for key in measured if getattr(point, key))]
    if point.attack is not None:
        keys += ["attack", "accuracy"]
    if point.shifts:
        keys.append("shifts")
    return all(getattr(point, key) == getattr(known, key) for key in keys)


def completes(point: FrontierPoint, known: FrontierPoint) -> bool:
    """Whether two points are of one state, one of them attacked and the other on shifted images."""
    return (
        (point.step, point.split) == (known.step, known.split)
        and (point.attack is None) != (known.attack is None)
        and bool(point.ood_accuracy) != bool(known.ood_accuracy)
    )


def joined(known: FrontierPoint, point: FrontierPoint) -> FrontierPoint:
    """Both points in one; the accuracy is that of the images that were attacked."""
    attacked, moved = (known, point) if known.attack is not None else (point, known)
    cost, more = known.cost, point.cost
    return replace(
        attacked,
        time=point.time,
        ood_accuracy=moved.ood_accuracy,
        shifts=moved.shifts,
        calibration=moved.calibration,
        diagnostics={**known.diagnostics, **point.diagnostics},
        cost=Cost(
            cost.seconds + more.seconds,
            cost.forward + more.forward,
            cost.backward + more.backward,
            max(cost.peak_memory, more.peak_memory),
        ),
    )


def frontier_steps(points: list[FrontierPoint]) -> set[int]:
    """Steps of points that none dominates under some threat, or on average under some shift."""
    means = [(point, point.shift_means) for point in points]
    names = {name for _, mean in means for name in mean}
    curves = [
        *(
            [(point, point.robust_accuracy[threat].value) for point in measured]
            for threat, measured in by_threat(points).items()
        ),
        *([(point, mean[name]) for point, mean in means if name in mean] for name in names),
    ]
    steps: set[int] = set()
    for curve in curves:
        mask = pareto_mask([point.accuracy.value for point, _ in curve], [y for _, y in curve])
        steps |= {point.step for (point, _), member in zip(curve, mask, strict=True) if member}
    return steps


def sentence(point: FrontierPoint) -> str:
    """A point in a line."""
    parts = [f"   {key} {_number(value)}" for key, value in point.robust_accuracy.items()]
    for name, mean in point.shift_means.items():
        keys = point.shifts[name].keys
        if len(keys) == 1:
            parts.append(f"   {keys[0]} {_number(point.ood_accuracy[keys[0]])}")
        else:
            parts.append(f"   {name} {mean:.3f} (mean of {len(keys)})")
    where = f"step {point.step:>6} ({point.split})"
    measured = "".join(parts)
    return f"{where}  accuracy {_number(point.accuracy)}{measured}   {point.cost.seconds:.1f} s"


def _number(estimate: Estimate) -> str:
    return f"{estimate.value:.3f} \\[{estimate.low:.3f}, {estimate.high:.3f}]"
