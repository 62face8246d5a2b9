"""The errors of robust-tuning.

Every message says what was got, what was expected and what to do about it; the command line prints
the message alone, without a traceback.
"""


class RobustTuningError(Exception):
    """Base of every error that this package raises on purpose."""


class ConfigurationError(RobustTuningError, ValueError):
    """A setting that cannot work, or that contradicts another one."""


class DataError(RobustTuningError, ValueError):
    """Images, labels or files that are not what they should be."""


class WeightsError(RobustTuningError, RuntimeError):
    """Weights that are missing, unreadable or not the ones a stored state was made from."""


class RunError(RobustTuningError, RuntimeError):
    """A run folder that is missing, occupied or unreadable."""


class DivergenceError(RobustTuningError, ArithmeticError):
    """A training that has come to numbers which are none."""
