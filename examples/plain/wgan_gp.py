"""A Wasserstein GAN with gradient penalty in one page of plain PyTorch.

Gulrajani et al. 2017, arXiv:1704.00028. The critic does not say "real" or "fake": the difference
of its means on real and fake pictures estimates how much earth must be moved from one to the
other. That holds only for critics that change slowly, so a penalty keeps their slope near 1.

    python examples/plain/wgan_gp.py --steps 1000 --out wgan_gp.png

It learns the 1,797 handwritten digits that come with scikit-learn, enlarged from 8x8 to 16x16.
The same game in the library is src/zerosum/models/images/wgan_gp.py (backbone dcgan), and
tests/examples/test_oracle_wgan_gp.py holds that both compute the same numbers.
"""

import argparse

import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn


# --- The two networks ------------------------------------------------------------------------
class Generator(nn.Sequential):
    """Codes (B, latent) to pictures (B, channels, side, side) in [-1, 1]."""

    def __init__(self, latent=32, width=16, channels=1, side=16):
        maps = width * side // 8
        layers = [nn.Unflatten(1, (latent, 1, 1)), nn.ConvTranspose2d(latent, maps, 4, bias=False)]
        while maps > width:  # double the grid, halve the maps
            layers += [nn.BatchNorm2d(maps), nn.ReLU()]
            layers += [nn.ConvTranspose2d(maps, maps := maps // 2, 4, 2, 1, bias=False)]
        layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, channels, 4, 2, 1)]
        super().__init__(*layers, nn.Tanh())
        self.apply(initialise)


class Critic(nn.Sequential):
    """Pictures (B, channels, side, side) to numbers (B,) without bounds.

    No batch normalisation here: the penalty is about the slope at each picture alone, so one
    picture must not change another one's score. `GroupNorm(1, ...)` is layer normalisation.
    """

    def __init__(self, width=16, channels=1, side=16):
        layers = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]  # grid / 2
        maps, grid = width, side // 2
        while grid > 4:
            layers += [nn.Conv2d(maps, maps := 2 * maps, 4, 2, 1, bias=False)]
            layers += [nn.GroupNorm(1, maps), nn.LeakyReLU(0.2)]
            grid //= 2
        super().__init__(*layers, nn.Conv2d(maps, 1, 4), nn.Flatten(0))
        self.apply(initialise)


def initialise(module):
    """Small random weights, as in DCGAN."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


# --- One step of the game (algorithm 1) ------------------------------------------------------
class Players:
    """Both networks, each with its own optimizer."""

    def __init__(self, latent=32, width=16, channels=1, side=16):
        self.latent = latent
        self.generator = Generator(latent, width, channels, side)
        self.critic = Critic(width, channels, side)
        # No momentum (beta1 = 0): the critic's target moves with every step of the generator.
        how = {"lr": 1e-4, "betas": (0.0, 0.9), "fused": True}
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), **how)
        self.critic_adam = torch.optim.Adam(self.critic.parameters(), **how)


def penalty(critic, real, fake):
    """(|slope| - 1)^2 at random points between real and fake pictures (equation 3)."""
    share = torch.rand(len(real)).view(-1, 1, 1, 1)
    between = (share * real + (1 - share) * fake).requires_grad_()
    # `create_graph`, because the slope itself is to be differentiated.
    slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
    return (slope.flatten(1).norm(dim=1) - 1).square().mean()


def step(players, reals):
    """The critic moves once per batch of `reals`, then the generator; returns the last losses."""
    generator, critic = players.generator, players.critic
    # 1. Critic, several times: its distance means something only when it is nearly the best.
    for real in reals:
        with torch.no_grad():
            fake = generator(torch.randn(len(real), players.latent))
        critic_loss = critic(fake).mean() - critic(real).mean()
        total = critic_loss + 10 * penalty(critic, real, fake)
        players.critic_adam.zero_grad()
        total.backward()
        players.critic_adam.step()

    # 2. Generator: up the critic's slope, which never saturates.
    generator_loss = -critic(generator(torch.randn(len(reals[0]), players.latent))).mean()
    players.generator_adam.zero_grad()
    generator_loss.backward()
    players.generator_adam.step()
    return critic_loss.item(), generator_loss.item()


# --- Data, loop and picture ------------------------------------------------------------------


def digits():
    """The digits (1797, 1, 16, 16) in [-1, 1]."""
    images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 8 - 1
    return F.interpolate(images, size=16, mode="bilinear")


@torch.no_grad()
def draw(players, codes, path, columns=10, zoom=3):
    """Write a sheet of the pictures of some codes."""
    players.generator.eval()
    pictures = F.pad(players.generator(codes), [1, 1, 1, 1], value=1.0)
    players.generator.train()
    rows = pictures.squeeze(1).unflatten(0, (-1, columns))
    sheet = rows.permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    image = Image.fromarray(((sheet + 1) * 127.5).round().to(torch.uint8).numpy())
    image.resize((zoom * image.width, zoom * image.height), Image.Resampling.NEAREST).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000, help="moves of the generator")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="wgan_gp.png", help="where to write the pictures")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    data, players = digits(), Players()
    for number in range(1, options.steps + 1):
        reals = [data[torch.randint(len(data), (options.batch,))] for _ in range(5)]
        losses = step(players, reals)
        if number % 100 == 0 or number == options.steps:
            print("step {:5}  minus distance {:.3f}  generator {:.3f}".format(number, *losses))
    draw(players, torch.randn(100, players.latent), options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
