"""Evaluating a model without leaving a trace."""

import random
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from torch import Tensor, nn


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode with frozen parameters, in float32, with gradients on.

    Afterwards modules' modes, parameters' `requires_grad`, buffers and the random states of torch
    (all devices), NumPy and Python are as before, also after an exception. Parameters and their
    `.grad` are never touched. Works inside Lightning's inference mode.
    """
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(mode=False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(_no_autocast(model))
        stack.enter_context(_random_states())
        stack.enter_context(_buffers(model))
        try:
            for module, _ in modes:
                module.training = False
            for parameter, _ in flags:
                parameter.requires_grad_(False)
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            for parameter, flag in flags:
                parameter.requires_grad_(flag)


@contextmanager
def _no_autocast(model: nn.Module) -> Iterator[None]:
    device = next((p.device.type for p in model.parameters()), "cpu")
    with torch.autocast(device, enabled=False):
        yield


@contextmanager
def _random_states() -> Iterator[None]:
    python, numpy = random.getstate(), np.random.get_state()
    try:
        # Named one by one, because torch warns where it finds several and is told of none.
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def _buffers(model: nn.Module) -> Iterator[None]:
    before = [
        (owner, name, buffer, buffer.clone())
        for owner in model.modules()
        for name, buffer in owner.named_buffers(recurse=False)
    ]
    try:
        yield
    finally:
        changed = []
        for owner, name, buffer, copy in before:
            if getattr(owner, name) is not buffer or not _same(buffer, copy):
                changed.append(name)
                buffer.copy_(copy)
                setattr(owner, name, buffer)
        if changed:
            message = (
                f"the model changed its buffers in evaluation mode ({', '.join(changed[:3])}); "
                "they were restored, but results may depend on the order of the examples"
            )
            warnings.warn(message, stacklevel=3)


def _same(one: Tensor, other: Tensor) -> bool:
    same: Tensor = (one == other) | ((one != one) & (other != other))  # NaN is like NaN here
    return bool(same.all())
