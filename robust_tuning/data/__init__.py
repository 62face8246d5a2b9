"""Benchmarks as data modules: batches of pixels in [0, 1], never normalised."""

from robust_tuning.data.base import BenchmarkDataModule
from robust_tuning.data.digits import Digits
from robust_tuning.data.image_arrays import ImageArrays
from robust_tuning.data.image_folder import ImageFolder

__all__ = ["BenchmarkDataModule", "Digits", "ImageArrays", "ImageFolder"]
