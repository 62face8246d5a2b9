"""What the sets of a shift are to one another: corruptions by severity, domains, a single set."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

Positions = tuple[int, ...]

_SEVERITY = re.compile(r"(?P<group>.+)-(?P<severity>[1-5])")


@dataclass(frozen=True, slots=True)
class ShiftLayout:
    """The sets of one shift, ordered into groups and severities.

    A corruption with all its severities is a group, and so is a domain by itself. A shift has
    severities if every one of its keys ends in `-1` to `-5`.

    Attributes:
        name: The shift's name, without the threat of an attack on its images.
        threat: That threat, `linf-1/255`; empty where the images are not attacked.
        keys: The names of the sets in `FrontierPoint.ood_accuracy`.
        groups: Positions in `keys` by group, whose names leave out what the shift's name says.
        severities: Positions in `keys` by severity, mildest first; empty where there are none.
    """

    name: str
    threat: str
    keys: tuple[str, ...]
    groups: Mapping[str, Positions]
    severities: Mapping[int, Positions]

    @classmethod
    def of(cls, shift: str, keys: Sequence[str]) -> Self:
        """Order the keys of a shift.

        >>> layout = ShiftLayout.of("cifar10c", ["cifar10c-fog-1", "cifar10c-fog-2"])
        >>> layout.groups, layout.severities
        ({'fog': (0, 1)}, {1: (0,), 2: (1,)})
        >>> ShiftLayout.of("domain/linf-1/255", ["domain-sketch/linf-1/255"]).groups
        {'sketch': (0,)}
        """
        name, _, threat = shift.partition("/")
        plain = [key.removesuffix(f"/{threat}") for key in keys]
        if all(key.startswith(f"{name}-") for key in plain):
            plain = [key.removeprefix(f"{name}-") for key in plain]
        parts = [_SEVERITY.fullmatch(key) for key in plain]
        groups: dict[str, Positions] = {}
        severities: dict[int, Positions] = {}
        has_severities = all(parts)
        for position, (key, part) in enumerate(zip(plain, parts, strict=True)):
            group = key
            if part and has_severities:
                group, severity = part["group"], int(part["severity"])
                severities[severity] = (*severities.get(severity, ()), position)
            groups[group] = (*groups.get(group, ()), position)
        return cls(name, threat, tuple(keys), groups, dict(sorted(severities.items())))

    def group_of(self, position: int) -> str:
        """The group that a key belongs to."""
        return next(name for name, places in self.groups.items() if position in places)

    def severity_of(self, position: int) -> int | None:
        """The severity of a key; None where the shift has none."""
        return next((s for s, places in self.severities.items() if position in places), None)

    @property
    def words(self) -> str:
        """How many sets of which kind, such as `15 corruptions x 5 severities`."""
        count, levels = len(self.groups), len(self.severities)
        if not levels:
            return f"{count} set{'s' * (count > 1)}"
        # Unbalanced where some corruption lacks a severity: then there is no product to state.
        if count * levels != len(self.keys):
            return f"{count} corruptions, {len(self.keys)} sets"
        level = f"{levels} severities" if levels > 1 else f"severity {next(iter(self.severities))}"
        return f"{count} corruption{'s' * (count > 1)} x {level}"
