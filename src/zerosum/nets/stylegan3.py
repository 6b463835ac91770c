"""StyleGAN3's generator: no pixel knows where it is but by its content.

Karras, Aittala, Laine, Härkönen, Hellsten, Lehtinen and Aila 2021, "Alias-Free Generative
Adversarial Networks", arXiv:2106.12423: maps are samples of continuous signals. Fourier features
that styles move and turn in the place of the constant (section 3.2, configs B and H), a margin
around the picture (C), nonlinearities between low-pass filters (D, E), layers whose bands grow
geometrically (F, G), and for rotation 1x1 kernels and radial filters (R). Which tensor is which
in the authors' release is said by `official_names`; weights have its shapes.
Sizes and bands of the layers are those of `zerosum.nets.bands`.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zerosum.layers.active import Dense
from zerosum.layers.lowpass import filtered_lrelu, lowpass
from zerosum.layers.modulated import demodulation
from zerosum.nets.bands import Band, Bands
from zerosum.nets.mapping import Mapping

# Words of the authors' tensor names, by ours.
OFFICIAL = {
    "average": "w_avg",
    "style": "affine",
    "magnitude": "magnitude_ema",
    "finer": "up_filter",
    "coarser": "down_filter",
    "begin": "input",
    "frequencies": "freqs",
}


class Fourier(nn.Module):
    """Waves of fixed frequencies that a style turns and shifts: equation in appendix F."""

    transform: Tensor
    frequencies: Tensor
    phases: Tensor

    def __init__(self, width: int, band: Band) -> None:
        """Draw the frequencies, evenly within the band; `width` is that of a style."""
        super().__init__()
        self.band = band
        frequencies = torch.randn(band.maps, 2)
        radii = frequencies.square().sum(1, keepdim=True).sqrt()
        frequencies = frequencies / (radii * radii.square().exp().pow(0.25)) * band.cutoff
        self.weight = nn.Parameter(torch.randn(band.maps, band.maps))
        self.style = Dense(width, 4)
        with torch.no_grad():
            self.style.weight.zero_()
            assert self.style.bias is not None
            self.style.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.register_buffer("transform", torch.eye(3))
        self.register_buffer("frequencies", frequencies)
        self.register_buffer("phases", torch.rand(band.maps) - 0.5)

    def forward(self, style: Tensor, transform: Tensor | None = None) -> Tensor:
        """Maps (B, maps, H, W) of styles (B, width), whose coordinates a matrix (3, 3), or one
        for each (B, 3, 3), transforms; None takes the one that is kept."""
        band = self.band
        t = self.style(style)
        t = t / t[:, :2].norm(dim=1, keepdim=True)
        zero, one = torch.zeros_like(t[:, 0]), torch.ones_like(t[:, 0])
        turned = _matrix([t[:, 0], -t[:, 1], zero], [t[:, 1], t[:, 0], zero], [zero, zero, one])
        shifted = _matrix([one, zero, -t[:, 2]], [zero, one, -t[:, 3]], [zero, zero, one])
        own = self.transform if transform is None else torch.as_tensor(transform).to(t)
        whole = turned @ shifted @ own
        phases = self.phases + (self.frequencies @ whole[:, :2, 2:]).squeeze(2)
        frequencies = self.frequencies @ whole[:, :2, :2]
        # What a turn or scale moves out of the band is faded out rather than folded back.
        over = (frequencies.norm(dim=2) - band.cutoff) / (band.rate / 2 - band.cutoff)
        amplitudes = (1 - over).clamp(0, 1)
        rows, columns = (_places(length, band.rate, style) for length in band.size)
        angles = (
            columns[None, None, :, None] * frequencies[:, None, None, :, 0]
            + rows[None, :, None, None] * frequencies[:, None, None, :, 1]
            + phases[:, None, None]
        )
        waves = torch.sin(angles * (2 * math.pi)) * amplitudes[:, None, None]
        maps = waves @ (self.weight / math.sqrt(band.maps)).t()
        return maps.permute(0, 3, 1, 2).contiguous()


class Layer(nn.Module):
    """A modulated convolution, then a leaky ReLU between two low-pass filters."""

    averaged_buffers = ("magnitude",)
    magnitude: Tensor
    finer: Tensor | None
    coarser: Tensor | None

    def __init__(
        self,
        width: int,
        before: Band,
        after: Band,
        *,
        colours: bool = False,
        critical: bool = False,
        kernel: int = 3,
        taps: int = 6,
        oversampling: int = 2,
        radial: bool = False,
        clamp: float | None = 256.0,
        momentum: float = 0.999,
    ) -> None:
        """Build the layer.

        Args:
            width: Numbers in a style.
            before: The band that comes in.
            after: The band that goes out.
            colours: Whether it is the last one: a linear 1x1 convolution, not demodulated.
            critical: Whether its band is as wide as the grid allows.
            kernel: Width of the kernel.
            taps: Length of the filters, in pixels of the coarser grid.
            oversampling: How much finer the grid is on which the nonlinearity acts.
            radial: Whether what shrinks is the same in all directions; not in critical layers.
            clamp: Largest absolute value between the filters; None for no bound.
            momentum: Share that the mean square of what comes in keeps at each step.
        """
        super().__init__()
        self.kernel, self.colours = 1 if colours else kernel, colours
        self.clamp, self.momentum = clamp, momentum
        rate = max(before.rate, after.rate) * (1 if colours else oversampling)
        self.up, self.down = round(rate / before.rate), round(rate / after.rate)
        longest = [taps * k if k > 1 and not colours else 1 for k in (self.up, self.down)]
        finer = lowpass(longest[0], before.cutoff, before.half_width * 2, rate)
        coarser = lowpass(
            longest[1], after.cutoff, after.half_width * 2, rate, radial=radial and not critical
        )
        self.register_buffer("finer", finer, persistent=False)
        self.register_buffer("coarser", coarser, persistent=False)
        self.padding = self._padding(before.size, after.size, sum(longest) - 2)
        self.style = Dense(width, before.maps, start=1.0)
        self.weight = nn.Parameter(torch.randn(after.maps, before.maps, self.kernel, self.kernel))
        self.bias = nn.Parameter(torch.zeros(after.maps))
        self.register_buffer("magnitude", torch.ones([]))
        self._next: Tensor | None = None

    def _padding(
        self, before: tuple[int, int], after: tuple[int, int], extent: int
    ) -> tuple[int, int, int, int]:
        """(left, right, top, bottom) by which the maps come out at their size, centred."""
        found = []
        for small, wanted in zip(before[::-1], after[::-1]):
            total = (wanted - 1) * self.down + 1 - (small + self.kernel - 1) * self.up + extent
            low = (total + self.up) // 2
            found += [low, total - low]
        return found[0], found[1], found[2], found[3]

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Maps (B, maps, H, W) under styles (B, width), to the layer's own maps."""
        if self.training:
            seen = x.detach().float().square().mean()
            self._next = seen.lerp(self.magnitude, self.momentum)
        gain = self.magnitude.rsqrt()
        style, weight = self.style(style), self.weight
        if self.colours:
            scale = None
            style = style * (gain / math.sqrt(weight[0].numel()))
        else:
            # As in the authors' release; it matters where squares leave the type's range.
            weight = weight * weight.square().mean((1, 2, 3), keepdim=True).rsqrt()
            style = style * style.square().mean().rsqrt()
            scale = (demodulation(weight, style) * gain)[:, :, None, None].to(x.dtype)
        x = x * style[:, :, None, None].to(x.dtype)
        x = F.conv2d(x, weight.to(x.dtype), padding=self.kernel - 1)
        return filtered_lrelu(
            x if scale is None else x * scale,
            self.finer,
            self.coarser,
            self.bias.to(x.dtype),
            up=self.up,
            down=self.down,
            padding=self.padding,
            gain=1.0 if self.colours else math.sqrt(2),
            slope=1.0 if self.colours else 0.2,
            clamp=self.clamp,
        )

    @torch.no_grad()
    def track(self) -> None:
        """Move the mean square of what comes in: once a step, not in a loss."""
        if self._next is not None:
            self.magnitude.copy_(self._next)
        self._next = None


class Synthesis(nn.Module):
    """Styles (B, copies, width) to images (B, channels, H, W)."""

    def __init__(
        self,
        width: int,
        bands: Bands,
        *,
        scale: float = 0.25,
        kernel: int = 3,
        taps: int = 6,
        oversampling: int = 2,
        radial: bool = False,
        clamp: float | None = 256.0,
        momentum: float = 0.999,
    ) -> None:
        """Build the layers; `scale` is the factor of the image, other arguments are `Layer`'s."""
        super().__init__()
        self.scale, own = scale, bands.bands
        self.begin = Fourier(width, own[0])
        last = len(own) - 2
        self.layers = nn.ModuleList(
            Layer(
                width,
                own[k],
                own[k + 1],
                colours=k == last,
                critical=k >= last - bands.critical,
                kernel=kernel,
                taps=taps,
                oversampling=oversampling,
                radial=radial,
                clamp=clamp,
                momentum=momentum,
            )
            for k in range(last + 1)
        )
        self.copies = len(own)
        """Styles it takes: one for the waves, and one per layer."""

    def forward(self, styles: Tensor, transform: Tensor | None = None) -> Tensor:
        """Images of styles, of waves whose coordinates `transform`, (3, 3) or (B, 3, 3),
        transforms."""
        x = self.begin(styles[:, 0], transform)
        for k, layer in enumerate(self.layers):
            x = layer(x, styles[:, k + 1])
        return x.float() * self.scale

    def style_weights(self) -> list[Tensor]:
        """What the waves and each layer make of their style: matrices (numbers, width)."""
        layers = [layer for layer in self.layers if isinstance(layer, Layer)]
        return [self.begin.style.weight, *(layer.style.weight for layer in layers)]

    def track(self) -> None:
        """Move what follows the magnitude of maps: once a step, not in a loss."""
        for layer in self.layers:
            assert isinstance(layer, Layer)
            layer.track()


class Generator(nn.Module):
    """Codes (B, latent) and conditions (B, classes) to images (B, channels, H, W)."""

    def __init__(
        self,
        latent: int,
        classes: int,
        width: int,
        bands: Bands,
        *,
        layers: int = 2,
        embedding: int | None = None,
        hidden: int | None = None,
        mapping_kind: str = "lrelu",
        mapping_rate: float = 0.01,
        average_momentum: float = 0.998,
        scale: float = 0.25,
        kernel: int = 3,
        taps: int = 6,
        oversampling: int = 2,
        radial: bool = False,
        clamp: float | None = 256.0,
        momentum: float = 0.999,
    ) -> None:
        """Build the networks.

        Args:
            latent: Numbers in a code.
            classes: Numbers in a condition; 0 for none.
            width: Numbers in a style.
            bands: Of the layers.
            layers: Of the mapping network.
            embedding: Numbers that a condition becomes; None takes `width`.
            hidden: Numbers between the mapping's layers; None takes `width`.
            mapping_kind: The mapping's activation.
            mapping_rate: Multiplier of the mapping's learning rate.
            average_momentum: Share that the mean style keeps at each step.
            scale: Factor of the image.
            kernel: Width of the kernels: 3, or 1 for rotation.
            taps: Length of the filters, in pixels of the coarser grid.
            oversampling: How much finer the grid is on which nonlinearities act.
            radial: Whether filters are the same in all directions.
            clamp: Largest absolute value between filters; None for no bound.
            momentum: Share that the maps' mean squares keep at each step.
        """
        super().__init__()
        self.bands = bands
        self.synthesis = Synthesis(
            width,
            bands,
            scale=scale,
            kernel=kernel,
            taps=taps,
            oversampling=oversampling,
            radial=radial,
            clamp=clamp,
            momentum=momentum,
        )
        self.mapping = Mapping(
            latent,
            classes,
            width,
            self.synthesis.copies,
            layers=layers,
            embedding=embedding,
            hidden=hidden,
            kind=mapping_kind,
            rate=mapping_rate,
            momentum=average_momentum,
        )

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation: float = 1.0,
        cutoff: int | None = None,
        transform: Tensor | None = None,
    ) -> Tensor:
        return self.synthesis(self.mapping(z, c, truncation, cutoff), transform)

    def official_names(self) -> dict[str, str]:
        """Names of the authors' release for each parameter and buffer here, to ours."""
        titles = [
            f"L{k}_{band.size[1]}_{band.maps}" for k, band in enumerate(self.bands.bands[1:])
        ]
        names = {}
        for name in (*dict(self.named_parameters()), *dict(self.named_buffers())):
            top, *words = name.split(".")
            if words[0] == "layers":
                words[:2] = [titles[int(words[1])] if top == "synthesis" else f"fc{words[1]}"]
            names[".".join([top, *(OFFICIAL.get(word, word) for word in words)])] = name
        return names


def _matrix(*rows: list[Tensor]) -> Tensor:
    """Matrices (B, rows, columns) of numbers (B,)."""
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def _places(length: int, rate: float, like: Tensor) -> Tensor:
    """Where the centres of so many pixels lie, the middle at 0, in units of length."""
    steps = torch.arange(length, dtype=like.dtype, device=like.device)
    return (steps + 0.5 - length / 2) / rate
