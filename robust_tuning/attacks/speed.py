"""Faster gradients; verdicts stay with the unmodified model in float32."""

import copy
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from robust_tuning.attacks.oracle import Approximation, Model
from robust_tuning.errors import ConfigurationError

# By how much a lead, relative to the largest logit, may differ from the model's own: several units
# of the last place of bfloat16, and what float32 leaves of it after many layers.
_DOUBT_LOW = 2.0**-5
_DOUBT = 2.0**-12

Folding = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Speed:
    """How gradients may be had faster than by the model as it is.

    Whatever is chosen, an image counts as misclassified only after a float32 pass of the unmodified
    model says so. But gradients that differ in their last digits lead an attack along another path:
    with anything but the defaults on a CPU results are no longer the same to the last example for
    every batch size, and may differ from those of another setting by examples near the boundary.

    Args:
        precision: Of the passes that gradients come from. `auto` takes bfloat16 on CUDA devices
            that have it in hardware, float32 elsewhere.
        channels_last: Whether a network of convolutions gets images with the channels last in
            memory. `auto` does so on CUDA devices, and in bfloat16.
        compile: Compile the gradient passes (`torch.compile`, with CUDA graphs on a GPU): worth its
            minutes for long evaluations. Batches are then filled up to one constant shape.

    Raises:
        ConfigurationError: If a value is none of these.
    """

    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    channels_last: Literal["auto"] | bool = "auto"
    compile: bool = False

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "float32", "bfloat16"):
            message = (
                f"precision is {self.precision!r}, expected 'auto', 'float32' or 'bfloat16' "
                "(float16 overflows where an attack looks for large losses)"
            )
            raise ConfigurationError(message)
        if self.channels_last not in ("auto", True, False):
            message = f"channels_last is {self.channels_last!r}, expected 'auto', true or false"
            raise ConfigurationError(message)

    def lowers_precision(self, device: torch.device) -> bool:
        """Whether gradients are computed in bfloat16 on a device."""
        if self.precision == "auto":
            return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
        return self.precision == "bfloat16"

    def approximation(
        self, model: nn.Module, batch_size: int, folded: Folding | None = None
    ) -> Approximation | None:
        """The model that gradients come from.

        Args:
            model: The model, with frozen parameters in evaluation mode. It is not changed.
            batch_size: Images per pass at most.
            folded: Within it the model has fewer operations for the same answers.

        Returns:
            None where it is the model itself.
        """
        device = next((p.device for p in model.parameters()), torch.device("cpu"))
        low = self.lowers_precision(device)
        last = _has_convolutions(model) and (
            device.type == "cuda" or low if self.channels_last == "auto" else self.channels_last
        )
        if not (low or last or self.compile or folded):
            return None
        with folded() if folded else nullcontext():
            twin = copy.deepcopy(model)
        if last:
            twin = twin.to(memory_format=torch.channels_last)
        answer: Model = twin
        if self.compile:
            mode = "reduce-overhead" if device.type == "cuda" else "default"
            answer = _Constant(torch.compile(twin, mode=mode, dynamic=False), batch_size)
        doubt = _DOUBT_LOW if low else _DOUBT
        return Approximation(_Adapted(answer, device.type, low=low, channels_last=last), doubt)


class _Adapted:
    """Answers with another layout or precision, in float32."""

    def __init__(self, model: Model, device: str, *, low: bool, channels_last: bool) -> None:
        self._model = model
        self._device = device
        self._low = low
        self._channels_last = channels_last

    def __call__(self, images: Tensor) -> Tensor:
        if self._channels_last:
            images = images.contiguous(memory_format=torch.channels_last)
        if not self._low:
            return self._model(images)
        with torch.autocast(self._device, dtype=torch.bfloat16):
            logits = self._model(images)
        return logits.float()


class _Constant:
    """Fills batches up to one size, so that a compiled model sees a single shape."""

    def __init__(self, model: Model, size: int) -> None:
        self._model = model
        self._size = size

    def __call__(self, images: Tensor) -> Tensor:
        missing = self._size - len(images)
        if missing > 0:
            images = torch.cat([images, images[-1:].detach().expand(missing, -1, -1, -1)])
        logits = self._model(images)
        return logits[: len(logits) - max(0, missing)]


def _has_convolutions(model: nn.Module) -> bool:
    """Whether convolutions do the work, rather than cut images into patches once."""
    kinds = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)]
    return len(kinds) > 1
