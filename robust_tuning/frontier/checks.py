"""What a careful reviewer would object to in the points of a panel."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from robust_tuning.frontier.apart import listed
from robust_tuning.frontier.comparison import Comparison, Curve, Panel
from robust_tuning.frontier.point import FrontierPoint
from robust_tuning.frontier.radius import contained

# From here on signs that sound evaluations also show are worth a warning.
_NOTABLE_SHARE = 0.05
# An attack is far above another where it leaves this much more robust accuracy.
_FAR = 0.05

Measured = tuple[str, FrontierPoint]


def objections(
    comparison: Comparison, panel: Panel, comparisons: Sequence[Comparison] = ()
) -> tuple[str, ...]:
    """Warnings on one panel.

    Args:
        comparison: Where the panel stands.
        panel: Whose points are checked.
        comparisons: All there are: other attacks on the same model states are looked for here.
    """
    points = [one for curve in panel.curves for one in _measured(curve)]
    return tuple(
        message
        for message in (
            *_impossible(points, panel.threat),
            *_weak(points, panel.threat),
            *_beaten(comparison, panel, comparisons),
            *_selected_on_test(comparison, panel),
            *_single_seeds(panel),
        )
        if message
    )


def _measured(curve: Curve) -> Iterator[Measured]:
    names = [folder.name for folder in curve.runs] or [t[0].run for t in curve.trajectories]
    for name, points in zip(names, curve.trajectories, strict=True):
        yield from ((name, point) for point in points)


def _where(found: Sequence[Measured]) -> str:
    return listed([f"{run} at step {point.step}" for run, point in found])


def _impossible(points: Sequence[Measured], threat: str) -> Iterator[str]:
    def above_clean(point: FrontierPoint) -> bool:
        return point.robust_accuracy[threat].value > point.accuracy.value

    def excess(point: FrontierPoint) -> float:
        """By how much robust accuracy exceeds that at a smaller radius."""
        own = point.robust_accuracy[threat].value
        smaller = contained(threat, point.robust_accuracy)[:-1]
        return max((own - point.robust_accuracy[name].value for name, _ in smaller), default=0.0)

    if found := [one for one in points if above_clean(one[1])]:
        yield (
            f"robust accuracy is above clean accuracy in {_where(found)}: that cannot be, two "
            "evaluations were mixed or the file was altered; evaluate again"
        )
    if found := [one for one in points if excess(one[1]) > 0]:
        largest = max(excess(point) for _, point in found)
        yield (
            f"robust accuracy rises with eps in {_where(found)}, by up to {100 * largest:.1f} "
            "points: the attack is too weak there; use more steps or AutoAttack"
        )


def _weak(points: Sequence[Measured], threat: str) -> Iterator[str]:
    def share(key: str) -> Callable[[FrontierPoint], float]:
        def of(point: FrontierPoint) -> float:
            signs = point.diagnostics.get(threat, {})
            return signs.get(key, 0) / max(1, signs.get("attacked", 0))

        return of

    signs = (
        ("zero_gradients", _NOTABLE_SHARE, "of the attacked examples had no gradient but zero"),
        ("bad_gradients", 0.0, "of the attacked examples had a gradient that is not finite"),
    )
    for key, limit, words in signs:
        of = share(key)
        if found := [one for one in points if of(one[1]) > limit]:
            largest = max(of(point) for _, point in found)
            yield (
                f"up to {100 * largest:.0f} % {words} in {_where(found)}: the robust accuracy may "
                "be too high; use AutoAttack or a scale-free loss"
            )
    if found := [p for p in points if p[1].diagnostics.get(threat, {}).get("random_model")]:
        yield (
            f"the model answered at random in {_where(found)}: the robust accuracy may be too "
            "high; attack the mean over its randomness"
        )


def _beaten(
    comparison: Comparison, panel: Panel, comparisons: Sequence[Comparison]
) -> Iterator[str]:
    """Other attacks that left much less of the same model states, on the same examples."""
    own = _states(comparison, panel.threat)
    for other in comparisons:
        here, there = comparison.conditions, other.conditions
        differs = here.attack_fingerprint != there.attack_fingerprint
        if not differs or here != there._replace(attack_fingerprint=here.attack_fingerprint):
            continue
        rivals = _states(other, panel.threat)
        far: list[tuple[float, Measured]] = []
        for state, point in own.items():
            if state not in rivals:
                continue
            rival = rivals[state]
            gap = (
                point.robust_accuracy[panel.threat].value
                - rival.robust_accuracy[panel.threat].value
            )
            if gap >= _FAR:
                far.append((gap, (state[0].name, point)))
        if far:
            far.sort(key=lambda one: -one[0])
            found = [measured for _, measured in far]
            yield (
                f"{other.attack_label} leaves up to {100 * far[0][0]:.1f} points less than "
                f"{comparison.attack_label} in {_where(found)}: this robust accuracy is too high; "
                "trust the stronger attack"
            )


def _states(comparison: Comparison, threat: str) -> Mapping[tuple[Path, int], FrontierPoint]:
    return {
        (folder, point.step): point
        for panel in comparison.panels
        if panel.threat == threat
        for curve in panel.curves
        for folder, points in zip(curve.runs, curve.trajectories, strict=False)
        for point in points
    }


def _selected_on_test(comparison: Comparison, panel: Panel) -> Iterator[str]:
    several = any(len(points) > 1 for curve in panel.curves for points in curve.trajectories)
    if comparison.conditions.split == "test" and several:
        yield (
            "the test split was read at several steps and chose which of them are on the "
            "frontiers: these numbers are too high; choose steps on the validation split and read "
            "the test split once"
        )


def _single_seeds(panel: Panel) -> Iterator[str]:
    single = [
        curve.strategy
        for curve in panel.curves
        if len({point.seed for point in curve.frontier.points}) == 1
    ]
    if single:
        yield (
            f"a single seed for {listed(single, 'curve') if len(single) > 9 else ', '.join(single)}"
            ": nothing here says how much another seed would change; train with at least 3"
        )
