"""How the values of a run are chosen: the sampler of Optuna's behind each method."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from robust_tuning.sweeps.file import Method, Sweep
from robust_tuning.sweeps.storage import import_optuna

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial


def make_sampler(method: Method, seed: int) -> "BaseSampler":
    """The sampler of a method.

    `bayes` and `pareto` are the tree-structured Parzen estimator, of one and of two objectives. It
    takes runs in progress for bad ones, so that two workers do not try the same.
    """
    samplers = import_optuna().samplers
    if method in ("bayes", "pareto"):
        sampler: BaseSampler = samplers.TPESampler(seed=seed, constant_liar=True)
        return sampler
    drawn: BaseSampler = samplers.RandomSampler(seed=seed)
    return drawn


def fixed_params(sweep: Sweep, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a grid's cell, as Optuna stores them."""
    by_name = {parameter.name: parameter for parameter in sweep.parameters}
    return {name: by_name[name].fixed(value) for name, value in values.items()}


def suggest(sweep: Sweep, trial: "Trial") -> dict[str, Any]:
    """The values of a run: those that are fixed, and what the sampler chooses for the others."""
    return {parameter.name: parameter.suggest(trial) for parameter in sweep.parameters}
