"""The networks of the bench: small ones of ours, and those of the papers.

Batch normalisation uses the batch's own statistics, in sampling too: running averages would be
state beside the weights, and 2,500 samples are a better estimate than they.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zerosum.layers.pyramid import doublings
from zerosum.nets import r3gan
from zerosum.nets.mlp import mlp


@dataclass(frozen=True)
class Networks:
    """How to build the players of a suite.

    Attributes:
        generator: (latent, shape) to a network from codes (B, latent) to samples (B, *shape).
        discriminator: (shape, pack) to one from `pack` samples, joined along the first axis, to
            logits (B,).
        width: Hidden units of VEEGAN's two further networks, which we choose.
        images: Whether samples are pictures.
    """

    generator: Callable[[int, tuple[int, ...]], nn.Module]
    discriminator: Callable[[tuple[int, ...], int], nn.Module]
    width: int = 128
    images: bool = False


def small(hidden: tuple[int, ...]) -> Networks:
    """Multilayer perceptrons with leaky ReLU for vectors."""
    return Networks(
        lambda latent, shape: mlp([latent, *hidden, *shape]).apply(he),
        lambda shape, pack: mlp([pack * shape[0], *hidden, 1], final=nn.Flatten(0)).apply(he),
        width=hidden[0],
    )


class Largest(nn.Module):
    """The largest of each group of neighbouring features: maxout, after a linear layer."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.pieces)).amax(-1)


def pacgan_generator(latent: int, shape: tuple[int, ...]) -> nn.Module:
    """Four hidden layers of 400 ReLUs with batch normalisation: 484,802 weights in the plane."""
    layers: list[nn.Module] = []
    for inputs in (latent, 400, 400, 400):
        layers += [nn.Linear(inputs, 400, bias=False), _norm1d(400), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(400, shape[0])).apply(initialise)


def pacgan_discriminator(shape: tuple[int, ...], pack: int) -> nn.Module:
    """Three maxout layers of 200 units: 405,201 weights in the plane, unpacked."""
    layers: list[nn.Module] = []
    for inputs in (pack * shape[0], 200, 200):
        layers += [nn.Linear(inputs, 5 * 200), Largest(5)]
    return nn.Sequential(*layers, nn.Linear(200, 1), nn.Flatten(0)).apply(initialise)


def small_image_generator(latent: int, shape: tuple[int, ...]) -> nn.Module:
    """Two doublings without normalisation, for sides that four divides."""
    channels, height, width = shape
    return nn.Sequential(
        nn.Linear(latent, 64 * (height // 4) * (width // 4)),
        nn.LeakyReLU(0.2),
        nn.Unflatten(1, (64, height // 4, width // 4)),
        nn.ConvTranspose2d(64, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(32, channels, 4, 2, 1),
        nn.Tanh(),
    )


def small_image_discriminator(shape: tuple[int, ...], pack: int) -> nn.Module:
    """Two halvings without normalisation."""
    channels, height, width = shape
    return nn.Sequential(
        nn.Conv2d(pack * channels, 32, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(64 * (height // 4) * (width // 4), 1),
        nn.Flatten(0),
    )


def dcgan_generator(latent: int, shape: tuple[int, ...]) -> nn.Module:
    """DCGAN for 28x28: 5x5 kernels, 512 feature maps at 2x2 down to 64 at 14x14."""
    layers: list[nn.Module] = [nn.Linear(latent, 512 * 4), nn.Unflatten(1, (512, 2, 2))]
    layers += [_norm2d(512), nn.ReLU()]
    # 2 -> 4 -> 7 -> 14: the output padding makes up for the odd side
    for wide, narrow, extra in ((512, 256, 1), (256, 128, 0), (128, 64, 1)):
        layers.append(nn.ConvTranspose2d(wide, narrow, 5, 2, 2, output_padding=extra))
        layers += [_norm2d(narrow), nn.ReLU()]
    layers.append(nn.ConvTranspose2d(64, shape[0], 5, 2, 2, output_padding=1))
    return nn.Sequential(*layers, nn.Tanh()).apply(initialise)


def dcgan_discriminator(shape: tuple[int, ...], pack: int) -> nn.Module:
    """Four halvings with 5x5 kernels, 64 to 512 feature maps, 28x28 to 2x2."""
    layers: list[nn.Module] = [nn.Conv2d(pack * shape[0], 64, 5, 2, 2), nn.LeakyReLU(0.2)]
    for narrow, wide in ((64, 128), (128, 256), (256, 512)):
        layers += [nn.Conv2d(narrow, wide, 5, 2, 2), _norm2d(wide), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 1), nn.Flatten(0)).apply(
        initialise
    )


class Apart(nn.Module):
    """A network whose layers have no stacked form: a stack calls its copies one by one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)


def r3gan_generator(latent: int, shape: tuple[int, ...]) -> nn.Module:
    """R3GAN's residual network at an eighth of its width: 7x7, 14x14 and 28x28 maps."""
    grid, levels = doublings((shape[1], shape[2]))
    widths, groups = _halved(96, levels), _halved(12, levels)
    blocks = [1] * len(widths)
    return Apart(r3gan.Generator(latent, widths, groups, blocks, shape[0], grid=grid))


def r3gan_discriminator(shape: tuple[int, ...], pack: int) -> nn.Module:
    """Its mirror image."""
    grid, levels = doublings((shape[1], shape[2]))
    widths, groups = _halved(96, levels)[::-1], _halved(12, levels)[::-1]
    blocks = [1] * len(widths)
    return Apart(r3gan.Discriminator(widths, groups, blocks, pack * shape[0], grid=grid))


def _halved(most: int, levels: int) -> list[int]:
    return [most // 2**level for level in range(levels + 1)]


class Joint(nn.Module):
    """VEEGAN's discriminator: codes (B, latent) and samples (B, ...) to logits (B,)."""

    def __init__(self, latent: int, features: nn.Module, size: int, width: int) -> None:
        super().__init__()
        self.features = features
        self.head = mlp([latent + size, width, width, 1], final=nn.Flatten(0)).apply(he)

    def forward(self, z: Tensor, samples: Tensor) -> Tensor:
        return self.head(torch.cat([z, self.features(samples)], dim=1))


def features(networks: Networks, shape: tuple[int, ...]) -> tuple[nn.Module, int]:
    """What VEEGAN's two further networks see of a sample, and how many numbers that is."""
    if not networks.images:
        return nn.Sequential(), shape[0]
    channels, height, width = shape
    layers = [nn.Conv2d(channels, 32, 4, 2, 1), nn.LeakyReLU(0.2)]
    layers += [nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten()]
    return nn.Sequential(*layers), 64 * (height // 4) * (width // 4)


def joint_discriminator(networks: Networks, latent: int, shape: tuple[int, ...]) -> nn.Module:
    return Joint(latent, *features(networks, shape), networks.width)


def reconstructor(networks: Networks, latent: int, shape: tuple[int, ...]) -> nn.Module:
    """VEEGAN's map from samples (B, *shape) back to codes (B, latent)."""
    seen, size = features(networks, shape)
    return nn.Sequential(seen, mlp([size, networks.width, networks.width, latent]).apply(he))


def he(module: nn.Module) -> None:
    """Weights that keep the variance through leaky ReLUs (He et al. 2015), biases 0.

    Torch's default is smaller by a factor of 2.4 per layer; such networks begin as nearly linear
    maps, and take long to tell modes apart that are a hundredth of the picture wide.
    """
    if isinstance(module, nn.Linear):
        nn.init.kaiming_normal_(module.weight, a=0.2, nonlinearity="leaky_relu")
        nn.init.zeros_(module.bias)


def initialise(module: nn.Module) -> None:
    """Weights N(0, 0.02), biases 0, as PacGAN and DCGAN have them."""
    if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def _norm1d(width: int) -> nn.Module:
    return nn.BatchNorm1d(width, track_running_stats=False)


def _norm2d(width: int) -> nn.Module:
    return nn.BatchNorm2d(width, track_running_stats=False)
