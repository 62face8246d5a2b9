"""Benchmarks as data modules: batches of pixels in [0, 1], never normalised."""

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.caltech256 import Caltech256
from robust_tuning.data.cifar10 import CIFAR10
from robust_tuning.data.cifar100 import CIFAR100
from robust_tuning.data.cub200 import CUB200
from robust_tuning.data.digits import Digits
from robust_tuning.data.domain_folders import DomainFolders
from robust_tuning.data.domainnet import DomainNet
from robust_tuning.data.image_arrays import ImageArrays
from robust_tuning.data.image_folder import ImageFolder
from robust_tuning.data.stanford_dogs import StanfordDogs

__all__ = [
    "CIFAR10",
    "CIFAR100",
    "CUB200",
    "BenchmarkDataModule",
    "Caltech256",
    "Digits",
    "DomainFolders",
    "DomainNet",
    "ImageArrays",
    "ImageFolder",
    "StanfordDogs",
]
