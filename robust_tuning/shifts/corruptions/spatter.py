"""Water or mud on the lens."""

from typing import NamedTuple

import torch
from torch import Tensor

from robust_tuning.shifts.corruptions.draws import Draws
from robust_tuning.shifts.corruptions.filters import gaussian
from robust_tuning.shifts.corruptions.levels import truncated
from robust_tuning.shifts.corruptions.water import relief

_WATER = (175.0, 238.0, 238.0)
_MUD = (63.0, 42.0, 20.0)


class Splash(NamedTuple):
    """What is on the lens.

    Attributes:
        mean: Of the normal noise that drops are cut from, in units of the whole range.
        deviation: Its standard deviation.
        sigma: Of its smoothing, in pixels.
        threshold: Below it there is no drop.
        strength: Of water: its greatest weight; of mud: sigma of its edges, in pixels.
        mud: Whether it is mud.
    """

    mean: float
    deviation: float
    sigma: float
    threshold: float
    strength: float
    mud: bool


def spatter(images: Tensor, draws: Draws, splash: Splash) -> Tensor:
    """Lay water (severities 1 to 3) or mud (4 and 5) over the image.

    Water is brightest along the edges of its drops, see `relief`; mud covers.
    """
    noise = gaussian(draws.normal(0, *images.shape[-2:]), splash.sigma)
    liquid = (splash.mean + splash.deviation * noise).float()
    colour = torch.tensor(_MUD if splash.mud else _WATER, device=images.device)[:, None, None]
    if splash.mud:
        cover = gaussian((liquid > splash.threshold).byte(), splash.strength).float()[:, None]
        cover = torch.where(cover < 0.8, 0.0, cover)
        return truncated(images * (1 - cover) + colour * cover)
    levels = truncated(255 * torch.where(liquid < splash.threshold, 0.0, liquid))
    drops = torch.from_numpy(relief(levels.cpu().numpy()))
    weight = drops.to(images.device)[:, None] * splash.strength
    return truncated(images + weight * colour)
