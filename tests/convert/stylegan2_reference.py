"""StyleGAN2 written a second time, slowly: weights per sample, zeros stuffed in, no shortcuts.

From the papers' equations and the official names of tensors; float64, to be compared with.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

ROOT = math.sqrt(2)
FIR = torch.tensor([1.0, 3, 3, 1], dtype=torch.double)
SQUARE = FIR.outer(FIR) / 64


def stuffed(x: Tensor) -> Tensor:
    """Each pixel, then a zero, in both directions."""
    wide = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    wide[:, :, ::2, ::2] = x
    return wide


def blurred(x: Tensor, pad: tuple[int, int]) -> Tensor:
    """Filtered with [1, 3, 3, 1] (symmetric), padded by (before, after)."""
    x = F.pad(x, (*pad, *pad))
    return F.conv2d(x, SQUARE.expand(x.shape[1], 1, 4, 4), groups=x.shape[1])


def enlarged(image: Tensor) -> Tensor:
    return 4 * blurred(stuffed(image), (2, 1))


def halved(image: Tensor) -> Tensor:
    return blurred(image, (1, 1))[:, :, ::2, ::2]


def cut(x: Tensor, clamp: float | None, gain: float = 1) -> Tensor:
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


class Reference:
    """Networks of official arguments and tensors."""

    def __init__(self, kwargs: dict[str, Any], state: dict[str, Tensor]) -> None:
        self.kwargs = kwargs
        self.state = {name: value.double() for name, value in state.items()}
        self.clamp = kwargs.get("conv_clamp")
        self.kind = kwargs.get("architecture")

    def dense(self, x: Tensor, name: str, rate: float = 1, active: bool = False) -> Tensor:
        weight = self.state[f"{name}.weight"]
        y = x @ (weight * rate / math.sqrt(weight.shape[1])).T + self.state[f"{name}.bias"] * rate
        return F.leaky_relu(y, 0.2) * ROOT if active else y

    def mapped(self, z: Tensor | None, c: Tensor, layers: int) -> Tensor:
        def on_sphere(x: Tensor) -> Tensor:
            return x / (x.square().mean(1, keepdim=True) + 1e-8).sqrt()

        parts = [] if z is None else [on_sphere(z.double())]
        if c.shape[1]:
            parts.append(on_sphere(self.dense(c.double(), "mapping.embed")))
        x = torch.cat(parts, 1)
        for i in range(layers):
            x = self.dense(x, f"mapping.fc{i}", 0.01, True)
        return x

    def modulated(self, x: Tensor, w: Tensor, name: str, gain: float = 1, up: bool = False):
        style, weight = self.dense(w, f"{name}.affine"), self.state[f"{name}.weight"]
        out = []
        for one, s in zip(x, style, strict=True):
            own = weight * s[None, :, None, None]
            own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
            if up:  # enlarging convolves: the kernel is turned, the filter follows
                wide = F.pad(stuffed(one[None]), (2, 2, 2, 2))
                y = 4 * blurred(F.conv2d(wide, own.flip((2, 3))), (1, 0))
            else:
                y = F.conv2d(one[None], own, padding=1)
            out.append(y)
        y = (
            torch.cat(out)
            + self.state[f"{name}.noise_const"] * self.state[f"{name}.noise_strength"]
        )
        y = F.leaky_relu(y + self.state[f"{name}.bias"][:, None, None], 0.2) * ROOT * gain
        return cut(y, self.clamp, gain)

    def colours(self, x: Tensor, w: Tensor, name: str) -> Tensor:
        style, weight = self.dense(w, f"{name}.affine"), self.state[f"{name}.weight"]
        own = weight[None] * style[:, None, :, None, None] / math.sqrt(weight.shape[1])
        y = torch.einsum("bihw,boi->bohw", x, own[..., 0, 0])
        return cut(y + self.state[f"{name}.bias"][:, None, None], self.clamp)

    def conv(self, x: Tensor, name: str, *, active: bool = True, gain: float = 1, clamp=None):
        weight = self.state[f"{name}.weight"]
        weight = weight / math.sqrt(weight[0].numel())
        y = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        if f"{name}.bias" in self.state:
            y = y + self.state[f"{name}.bias"][:, None, None]
        return cut((F.leaky_relu(y, 0.2) * ROOT if active else y) * gain, clamp, gain)

    def synthesised(self, ws: Tensor) -> Tensor:
        ws, size, image = ws.double(), self.kwargs["img_resolution"], None
        p = "synthesis.b4"
        x = self.state[f"{p}.const"].expand(len(ws), -1, -1, -1)
        x = self.modulated(x, ws[:, 0], f"{p}.conv1")
        if self.kind == "skip":
            image = self.colours(x, ws[:, 1], f"{p}.torgb")
        at, side = 1, 8
        while side <= size:
            p, half, aside = f"synthesis.b{side}", 1.0, None
            if self.kind == "resnet":
                half = math.sqrt(0.5)
                aside = enlarged(self.conv(x, f"{p}.skip", active=False)) * half
            x = self.modulated(x, ws[:, at], f"{p}.conv0", up=True)
            x = self.modulated(x, ws[:, at + 1], f"{p}.conv1", half)
            x = x if aside is None else x + aside
            at += 2
            if image is not None:
                image = enlarged(image)
            if self.kind == "skip" or side == size:
                shown = self.colours(x, ws[:, at], f"{p}.torgb")
                image = shown if image is None else image + shown
            side *= 2
        assert image is not None
        return image

    def judged(self, image: Tensor, c: Tensor, group: int | None) -> Tensor:
        image, side, x = image.double(), self.kwargs["img_resolution"], None
        while side > 4:
            p, half, aside = f"b{side}", 1.0, None
            if x is None or self.kind == "skip":
                seen = self.conv(image, f"{p}.fromrgb", clamp=self.clamp)
                x = seen if x is None else x + seen
                image = halved(image)
            if self.kind == "resnet":
                half = math.sqrt(0.5)
                aside = self.conv(halved(x), f"{p}.skip", active=False, gain=half)
            x = self.conv(x, f"{p}.conv0", clamp=self.clamp)
            weight = self.state[f"{p}.conv1.weight"]
            y = F.conv2d(blurred(x, (2, 2)), weight / math.sqrt(weight[0].numel()), stride=2)
            y = y + self.state[f"{p}.conv1.bias"][:, None, None]
            x = cut(F.leaky_relu(y, 0.2) * ROOT * half, self.clamp, half)
            x = x if aside is None else x + aside
            side //= 2
        assert x is not None
        if self.kind == "skip":
            x = x + self.conv(image, "b4.fromrgb")
        n = len(x)
        groups = 1 if group is None else n // group
        told = torch.zeros(n, 1, 4, 4, dtype=torch.double)
        for j in range(groups):  # sample i goes with i + groups
            members = list(range(j, n, groups))
            told[members] = (x[members].var(0, unbiased=False) + 1e-8).sqrt().mean()
        x = self.conv(torch.cat([x, told], 1), "b4.conv", clamp=self.clamp)
        x = self.dense(self.dense(x.flatten(1), "b4.fc", active=True), "b4.out")
        if not c.shape[1]:
            return x
        projected = self.mapped(None, c, 8)
        return (x * projected).sum(1, keepdim=True) / math.sqrt(x.shape[1])
