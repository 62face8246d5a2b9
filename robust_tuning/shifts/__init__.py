"""Out-of-distribution views of a benchmark."""

from robust_tuning.shifts.base import Shift, ShiftedSet, Transform
from robust_tuning.shifts.cifar101 import CIFAR101
from robust_tuning.shifts.common_corruptions import Corruptions
from robust_tuning.shifts.domains import Domains
from robust_tuning.shifts.folder import FolderShift
from robust_tuning.shifts.label_map import LabelMap
from robust_tuning.shifts.stl10 import STL10
from robust_tuning.shifts.stored_corruptions import StoredCorruptions

__all__ = [
    "CIFAR101",
    "STL10",
    "Corruptions",
    "Domains",
    "FolderShift",
    "LabelMap",
    "Shift",
    "ShiftedSet",
    "StoredCorruptions",
    "Transform",
]
