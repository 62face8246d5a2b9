"""Images from outside a benchmark: the one door through which shifts come to files."""

from robust_tuning.data.external.arrays import Rows
from robust_tuning.data.external.check_external import check_external
from robust_tuning.data.external.external_set import ExternalSet, Part
from robust_tuning.data.external.images import (
    Folder,
    FolderExamples,
    evaluation_view,
    list_folder,
)
from robust_tuning.data.external.sets import (
    CIFAR_10_1,
    CIFAR_10_C,
    CIFAR_100_C,
    EXTERNAL_SETS,
    SEVERITIES,
    STL_10,
)

__all__ = [
    "CIFAR_10_1",
    "CIFAR_10_C",
    "CIFAR_100_C",
    "EXTERNAL_SETS",
    "SEVERITIES",
    "STL_10",
    "ExternalSet",
    "Folder",
    "FolderExamples",
    "Part",
    "Rows",
    "check_external",
    "evaluation_view",
    "list_folder",
]
