"""A deep convolutional GAN in one page of plain PyTorch.

Radford, Metz and Chintala 2015, arXiv:1511.06434. Two networks play against each other: the
generator turns random codes into pictures, the discriminator tells them from real ones. Each
gets better because the other does.

    python examples/plain/dcgan.py --steps 2000 --out dcgan.png

It learns the 1,797 handwritten digits that come with scikit-learn, enlarged from 8x8 to 16x16.
Read it from top to bottom. The same game in the library is src/zerosum/models/images/dcgan.py, and
tests/examples/test_oracle_dcgan.py holds that both compute the same numbers.
"""

import argparse

import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

# --- The two networks ------------------------------------------------------------------------
# Section 3 of the paper gives the rules: strided convolutions instead of pooling, batch
# normalisation everywhere but at the two ends, ReLU in G and leaky ReLU in D, no dense layers.


class Generator(nn.Sequential):
    """Codes (B, latent) to pictures (B, channels, side, side) in [-1, 1]."""

    def __init__(self, latent=64, width=16, channels=1, side=16):
        # Begin on a 4x4 grid with many feature maps; double the grid and halve the maps.
        maps = width * side // 8
        layers = [nn.Unflatten(1, (latent, 1, 1)), nn.ConvTranspose2d(latent, maps, 4, bias=False)]
        while maps > width:
            layers += [nn.BatchNorm2d(maps), nn.ReLU()]
            layers += [nn.ConvTranspose2d(maps, maps // 2, 4, 2, 1, bias=False)]  # grid x 2
            maps //= 2
        layers += [nn.BatchNorm2d(width), nn.ReLU(), nn.ConvTranspose2d(width, channels, 4, 2, 1)]
        super().__init__(*layers, nn.Tanh())  # tanh, because pixels lie in [-1, 1]
        self.apply(initialise)


class Discriminator(nn.Sequential):
    """Pictures (B, channels, side, side) to logits (B,): above zero means "real"."""

    def __init__(self, width=16, channels=1, side=16):
        layers = [nn.Conv2d(channels, width, 4, 2, 1), nn.LeakyReLU(0.2)]  # grid / 2
        maps, grid = width, side // 2
        while grid > 4:
            layers += [nn.Conv2d(maps, 2 * maps, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(2 * maps), nn.LeakyReLU(0.2)]
            maps, grid = 2 * maps, grid // 2
        super().__init__(*layers, nn.Conv2d(maps, 1, 4), nn.Flatten(0))
        self.apply(initialise)


def initialise(module):
    """Small random weights (section 4): large ones make the first moves too violent."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


# --- One step of the game --------------------------------------------------------------------


class Players:
    """Both networks, each with its own optimizer: nobody moves the other's weights."""

    def __init__(self, latent=64, width=16, channels=1, side=16):
        self.latent = latent
        self.generator = Generator(latent, width, channels, side)
        self.discriminator = Discriminator(width, channels, side)
        # Adam with beta1 = 0.5 instead of 0.9: the target moves, so old gradients mislead.
        how = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), **how)
        self.discriminator_adam = torch.optim.Adam(self.discriminator.parameters(), **how)


def step(players, real):
    """The discriminator moves, then the generator; returns both losses."""
    generator, discriminator = players.generator, players.discriminator

    # 1. Discriminator. With D = sigmoid(logit), maximising log D(real) + log(1 - D(fake)) is
    # minimising softplus(-real) + softplus(fake), which is exact where a logarithm overflows.
    # `no_grad`, because the generator only lends its pictures here.
    with torch.no_grad():
        fake = generator(torch.randn(len(real), players.latent))
    real_logits, fake_logits = discriminator(real), discriminator(fake)
    discriminator_loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    players.discriminator_adam.zero_grad()
    discriminator_loss.backward()
    players.discriminator_adam.step()

    # 2. Generator. Minimising log(1 - D(fake)) would give no gradient while D wins easily, so
    # it maximises log D(fake) instead. The gradient flows through D into G; what it leaves in D
    # on the way is zeroed before D's next move.
    fake_logits = discriminator(generator(torch.randn(len(real), players.latent)))
    generator_loss = F.softplus(-fake_logits).mean()
    players.generator_adam.zero_grad()
    generator_loss.backward()
    players.generator_adam.step()
    return discriminator_loss.item(), generator_loss.item()


# --- Data, loop and picture ------------------------------------------------------------------


def digits():
    """The digits (1797, 1, 16, 16) in [-1, 1]: the range of the generator's tanh."""
    images = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 8 - 1
    return F.interpolate(images, size=16, mode="bilinear")


@torch.no_grad()
def draw(players, codes, path, columns=10, zoom=3):
    """Write a sheet of the pictures of some codes, enlarged so that one can see them."""
    players.generator.eval()  # normalise by the running statistics, not by this batch
    pictures = F.pad(players.generator(codes), [1, 1, 1, 1], value=1.0)  # a white frame
    players.generator.train()
    rows = pictures.squeeze(1).unflatten(0, (-1, columns))  # (rows, columns, height, width)
    sheet = rows.permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    image = Image.fromarray(((sheet + 1) * 127.5).round().to(torch.uint8).numpy())
    image.resize((zoom * image.width, zoom * image.height), Image.Resampling.NEAREST).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="dcgan.png", help="where to write the pictures")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    data, players = digits(), Players()
    for number in range(1, options.steps + 1):
        real = data[torch.randint(len(data), (options.batch,))]
        losses = step(players, real)
        if number % 100 == 0 or number == options.steps:
            print("step {:5}  discriminator {:.3f}  generator {:.3f}".format(number, *losses))
    draw(players, torch.randn(100, players.latent), options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
