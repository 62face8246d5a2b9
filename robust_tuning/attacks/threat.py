"""What an adversary may do: a norm, a radius, and the box of valid pixels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from robust_tuning.attacks.l1_ball import onto_l1_ball, random_in_l1_ball
from robust_tuning.errors import ConfigurationError
from robust_tuning.types import Bounds, Norm

_BOUNDS = Bounds()


def parse_fraction(value: float | str, name: str) -> float:
    """Read a length in [0, 1] pixel units.

    Args:
        value: A number, or a fraction as text: `"4/255"`, `"0.25/255"`.
        name: What the value is, for the message.

    Returns:
        The value as a float.

    Raises:
        ConfigurationError: If it is neither.

    >>> parse_fraction("4/255", "eps") == 4 / 255
    True
    """
    try:
        if isinstance(value, str):
            numerator, slash, denominator = value.partition("/")
            number = float(numerator) / (float(denominator) if slash else 1.0)
        else:
            number = float(value)
    except (ValueError, ZeroDivisionError) as error:
        message = f"{name} is {value!r}, expected a number or a fraction such as 4/255"
        raise ConfigurationError(message) from error
    if not 0 <= number < float("inf"):
        message = f"{name} is {value!r}, expected a non-negative number or a fraction such as 4/255"
        raise ConfigurationError(message)
    return number


def format_fraction(value: float) -> str:
    """Write a length as people do: in 255ths where that is short.

    >>> format_fraction(4 / 255), format_fraction(0.25 / 255), format_fraction(0.5)
    ('4/255', '0.25/255', '0.5')
    >>> format_fraction(1.0)
    '1'
    """
    if value == int(value):
        return str(int(value))
    scaled = value * 255
    short = f"{scaled:.4g}"
    if abs(float(short) - scaled) < 1e-9 * scaled and len(short) <= 4:
        return f"{short}/255"
    return f"{value:.10g}"


@dataclass(frozen=True)
class ThreatModel:
    """All images within `eps` of the original, in [0, 1] pixel units, that are valid images.

    Args:
        norm: `linf`, `l2` or `l1`, over all pixels and channels of an image.
        eps: The radius.

    Raises:
        ConfigurationError: If the norm is unknown or the radius impossible.
    """

    norm: Norm
    eps: float

    def __post_init__(self) -> None:
        if self.norm not in ("linf", "l2", "l1"):
            message = f"norm is {self.norm!r}, expected 'linf', 'l2' or 'l1'"
            raise ConfigurationError(message)
        if not 0 <= self.eps < float("inf"):
            message = f"eps is {self.eps:g}, expected a number not below 0 (pixel units of [0, 1])"
            raise ConfigurationError(message)
        if self.norm == "linf" and self.eps > 1:
            message = (
                f"eps is {self.eps:g}, expected 0 <= eps <= 1 (pixel units of [0, 1]); "
                f"did you mean {self.eps:g}/255 = {self.eps / 255:.4f}?"
            )
            raise ConfigurationError(message)

    @property
    def key(self) -> str:
        """Its name in files and tables, such as `linf-1/255`."""
        return f"{self.norm}-{format_fraction(self.eps)}"

    def project(self, candidates: Tensor, images: Tensor) -> Tensor:
        """The nearest points of the ball that are valid images.

        For `linf` and `l1` this is the exact projection on the intersection, see `onto_l1_ball`.
        For `l2` the points of the ball are clipped to valid pixels, as in every reference
        implementation: the result lies in both sets, since clipping moves each pixel towards the
        original.

        Args:
            candidates: `(B, C, H, W)`.
            images: The originals, of the same shape, in [0, 1].
        """
        offset = candidates - images
        match self.norm:
            case "linf":
                offset = offset.clamp(-self.eps, self.eps)
            case "l2":
                lengths = _lengths(offset)
                offset = offset * (self.eps / lengths.clamp_min(1e-12)).clamp_max(1.0)
            case "l1":
                offset = onto_l1_ball(offset, images, self.eps)
        return (images + offset).clamp(*_BOUNDS)

    def random_point(self, generator: torch.Generator, shape: torch.Size) -> Tensor:
        """A uniformly distributed offset within the ball.

        Args:
            generator: On the CPU, so that every device gets the same noise.
            shape: `(C, H, W)`.
        """
        if self.norm == "linf":
            return (torch.rand(shape, generator=generator) * 2 - 1) * self.eps
        if self.norm == "l1":
            return random_in_l1_ball(generator, shape, self.eps)
        direction: Tensor = torch.randn(shape, generator=generator)
        radius = float(torch.rand((), generator=generator)) ** (1 / direction.numel()) * self.eps
        length = float(direction.norm())
        scaled: Tensor = direction * (radius / max(length, 1e-12))
        return scaled

    def steepest(self, gradients: Tensor) -> Tensor:
        """The direction of unit norm along which a linear function grows fastest.

        For `l1` it has a single component, the first of the largest gradients.

        Args:
            gradients: `(B, C, H, W)`; an all-zero gradient gives no direction.
        """
        if self.norm == "linf":
            return gradients.sign()
        if self.norm == "l1":
            flat = gradients.flatten(1)
            first = flat.abs().argmax(1, keepdim=True)
            signs = flat.gather(1, first).sign()
            return torch.zeros_like(flat).scatter_(1, first, signs).view_as(gradients)
        # Scaled first, because the squares of a confident model's gradients underflow.
        largest = gradients.abs().amax((1, 2, 3), keepdim=True)
        scaled = gradients / torch.where(largest > 0, largest, 1.0)
        direction: Tensor = scaled / _lengths(scaled).clamp_min(1.0)
        return direction


def _lengths(offsets: Tensor) -> Tensor:
    lengths: Tensor = offsets.flatten(1).norm(dim=1)
    return lengths.view(-1, *[1] * (offsets.dim() - 1))
