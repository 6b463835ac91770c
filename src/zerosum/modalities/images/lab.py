"""sRGB <-> CIE L*a*b*, where what grey pictures tell stands apart from what they do not.

CIE 15:2004 for L*a*b* and IEC 61966-2-1 for sRGB, with its white D65 at 2 degrees, so that greys
have a = b = 0. All of it is made of tensor operations, in float32 at least, and gradients pass.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

AB_SCALE = 110.0
"""What a and b are divided by for networks. Those of sRGB lie between -108 and 99."""
HALVINGS = 8
"""Of the interval in which the palest that a colour must become is sought."""

_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_BACK = np.linalg.inv(_XYZ).tolist()
_BEND = 6 / 29
_TOLERANCE = 1e-5


def rgb_to_lab(pictures: Tensor) -> Tensor:
    """L* from 0 to 100, a* and b*, (B, 3, H, W), of RGB pictures (B, 3, H, W) in [-1, 1]."""
    rgb = (_precise(pictures) + 1) / 2
    # What is not taken of the two branches must have a finite slope too.
    curved = ((rgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, curved)
    matrix, white = _matrix(rgb)
    xyz = _times(matrix, linear) / white
    root = xyz.clamp(min=_BEND**3) ** (1 / 3)
    x, y, z = torch.where(xyz > _BEND**3, root, xyz / (3 * _BEND**2) + 4 / 29).unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """RGB pictures (B, 3, H, W) of L*, a*, b* (B, 3, H, W); what no screen shows lies outside
    [-1, 1]."""
    linear = _linear(_precise(lab))
    curved = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curved) * 2 - 1


def parted(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """What networks see of RGB pictures (B, 3, H, W) in [-1, 1].

    Returns:
        The lightness L* / 50 - 1, (B, 1, H, W) in [-1, 1], and the colours a* / 110 and b* / 110,
        (B, 2, H, W) in (-1, 1).
    """
    lab = rgb_to_lab(pictures)
    return lab[:, :1] / 50 - 1, lab[:, 1:] / AB_SCALE


def joined(lightness: Tensor, colours: Tensor) -> Tensor:
    """RGB pictures (B, 3, H, W) in [-1, 1] of a lightness and colours, scaled as `parted` does.

    A colour that no screen shows at its lightness is paled, towards grey, until it can be shown:
    cutting off its channels would change the lightness.

    Args:
        lightness: (B, 1, H, W) in [-1, 1].
        colours: (B, 2, H, W).
    """
    light, colours = 50 * (_precise(lightness) + 1), AB_SCALE * _precise(colours)

    def painted(share: Tensor) -> Tensor:
        return torch.cat([light, share * colours], dim=1)

    def shown(share: Tensor) -> Tensor:
        linear = _linear(painted(share))
        inside = (linear >= -_TOLERANCE) & (linear <= 1 + _TOLERANCE)
        return inside.all(1, keepdim=True)

    with torch.no_grad():
        share = torch.zeros_like(light)  # a grey of any lightness can be shown
        for halving in range(1, HALVINGS + 1):
            more = share + 0.5**halving
            share = torch.where(shown(more), more, share)
        whole = torch.ones_like(light)
        share = torch.where(shown(whole), whole, share)
    return lab_to_rgb(painted(share)).clamp(-1, 1)


def greys(lightness: Tensor) -> Tensor:
    """Grey pictures (B, 1, H, W) in [-1, 1] of a lightness (B, 1, H, W) in [-1, 1]."""
    light = 50 * (_precise(lightness) + 1)
    lab = torch.cat([light, torch.zeros_like(light).expand(-1, 2, -1, -1)], dim=1)
    return lab_to_rgb(lab)[:, 1:2].clamp(-1, 1)


def _precise(values: Tensor) -> Tensor:
    """Values in float32 at least, whatever they are computed in around here."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _linear(lab: Tensor) -> Tensor:
    """Linear RGB (B, 3, H, W), 0 to 1 where it can be shown, of L*, a*, b* (B, 3, H, W)."""
    light, a, b = lab.unbind(1)
    y = (light + 16) / 116
    bent = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    _, white = _matrix(lab)
    xyz = torch.where(bent > _BEND, bent**3, 3 * _BEND**2 * (bent - 4 / 29)) * white
    return _times(torch.tensor(_BACK, dtype=lab.dtype, device=lab.device), xyz)


def _matrix(like: Tensor) -> tuple[Tensor, Tensor]:
    """From linear RGB to XYZ (3, 3), and the white that it gives (1, 3, 1, 1)."""
    matrix = torch.tensor(_XYZ, dtype=like.dtype, device=like.device)
    return matrix, matrix.sum(1)[None, :, None, None]


def _times(matrix: Tensor, pictures: Tensor) -> Tensor:
    """A matrix (3, 3) times each pixel of (B, 3, H, W).

    Products and sums rather than a matrix product, which mixed precision would round.
    """
    return (matrix[None, :, :, None, None] * pictures[:, None]).sum(2)
