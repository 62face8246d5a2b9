"""Why points of one benchmark and backbone do not share a frontier, run by run."""

from collections.abc import Mapping, Sequence

import numpy as np

from robust_tuning.frontier.evaluations import Subsets
from robust_tuning.frontier.pareto_frontier import Conditions

_SHOWN = 3


def apart(
    here: Conditions, runs: Mapping[Conditions, Sequence[str]], subsets: Subsets
) -> tuple[str, ...]:
    """One line for each group of points that was measured otherwise than those here.

    Args:
        here: Conditions of a comparison.
        runs: The names of the runs under all conditions.
        subsets: By fingerprint index and label of the examples, where they are known.

    Returns:
        Lines that name the runs and what they differ in; none for other benchmarks and backbones,
        which nobody would put together.
    """
    lines = []
    for there, names in runs.items():
        if there == here or there[:2] != here[:2]:
            continue
        differences = []
        if there.split != here.split:
            differences.append(f"split ({there.split}, here {here.split})")
        if there.attack_fingerprint != here.attack_fingerprint:
            attacks = (str(one.attack_fingerprint)[:8] for one in (there, here))
            differences.append("attack (#{}, here #{})".format(*attacks))
        # Another split has other examples anyway.
        if there.examples != here.examples and there.split == here.split:
            differences.append(_examples(there.examples, here.examples, subsets))
        verb = "differs" if len(names) == 1 else "differ"
        reasons = "; ".join(differences)
        lines.append(f"not on these frontiers: {listed(names)} {verb} in {reasons}")
    return tuple(lines)


def listed(names: Sequence[str], kind: str = "run") -> str:
    """Names in words, the first few of many.

    >>> listed(["a"]), listed(["a", "b", "c", "d", "e"])
    ('run a', 'runs a, b, c and 2 more')
    """
    shown = ", ".join(names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{kind}{'s' if len(names) > 1 else ''} {shown}{more}"


def _examples(there: str, here: str, subsets: Subsets) -> str:
    if there not in subsets or here not in subsets:
        sizes = (
            f"{len(subsets[one][0]):,}" if one in subsets else one[1:] for one in (there, here)
        )
        return "evaluation examples ({}, here {})".format(*sizes)
    (index, label), (own_index, own_label) = subsets[there], subsets[here]
    common, left, right = np.intersect1d(index, own_index, return_indices=True)
    relabelled = int((label[left] != own_label[right]).sum())
    if relabelled:
        count = f"{relabelled:,} of {len(common):,} common examples"
        return f"version of the data ({count} have other labels)"
    counts = f"{len(index):,}, here {len(own_index):,}, {len(common):,} in common"
    return f"evaluation examples ({counts})"
