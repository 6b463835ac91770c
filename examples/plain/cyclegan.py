"""A CycleGAN in one page of plain PyTorch.

Zhu, Park, Isola and Efros 2017, arXiv:1703.10593. Two kinds of pictures and no pairs: G turns one
kind into the other and F turns it back. A critic of each kind tells real pictures from translated
ones, and what goes there and back must be what it was.

    python examples/plain/cyclegan.py --steps 1500 --out cyclegan.png

It learns to turn the handwritten digits of scikit-learn into their outlines and back, without
ever seeing which outline belongs to which digit. The same game in the library is
src/zerosum/models/translation/cyclegan.py, and tests/examples/test_oracle_cyclegan.py holds that
both compute the same numbers.
"""

import argparse
import itertools

import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import grey_dilation
from sklearn.datasets import load_digits
from torch import nn

# --- The networks (appendix 7.2) --------------------------------------------------------------
# Instance normalisation: each picture by its own statistics. Edges are reflected, not blackened.


def conv(before, after, kernel, stride=1):
    return nn.Conv2d(before, after, kernel, stride, kernel // 2, padding_mode="reflect")


def norm(maps):
    return nn.InstanceNorm2d(maps, affine=True)


class Residual(nn.Module):
    def __init__(self, maps):
        super().__init__()
        self.layers = nn.Sequential(
            conv(maps, maps, 3), norm(maps), nn.ReLU(), conv(maps, maps, 3), norm(maps)
        )

    def forward(self, maps):
        return maps + self.layers(maps)


def translator(width=8, blocks=2, channels=1):
    """Halve twice, think in residual blocks, double twice."""
    layers = [conv(channels, width, 7), norm(width), nn.ReLU()]
    for maps in (width, 2 * width):
        layers += [conv(maps, 2 * maps, 3, stride=2), norm(2 * maps), nn.ReLU()]
    layers += [Residual(4 * width) for _ in range(blocks)]
    for maps in (4 * width, 2 * width):
        layers += [nn.ConvTranspose2d(maps, maps // 2, 3, 2, 1, output_padding=1)]
        layers += [norm(maps // 2), nn.ReLU()]
    return nn.Sequential(*layers, conv(width, channels, 7), nn.Tanh()).apply(initialise)


def critic(width=8, channels=1):
    """A logit for each overlapping patch of 16x16 pixels, not for the whole picture."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 1, 1, bias=False),
        norm(2 * width),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 1, 4, 1, 1),
    ).apply(initialise)


def initialise(module):
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class Pool:
    """The last fifty translations: half of what a critic sees are old ones (section 4)."""

    def __init__(self, capacity=50):
        self.capacity, self.kept = capacity, []

    def mix(self, fakes):
        room = self.capacity - len(self.kept)
        self.kept += fakes[:room].clone()
        swaps = torch.rand(len(fakes)) < 0.5
        places = torch.randint(len(self.kept), (len(fakes),))
        shown = fakes.clone()
        for i in range(min(room, len(fakes)), len(fakes)):
            if swaps[i]:
                shown[i], self.kept[places[i]] = self.kept[places[i]], fakes[i].clone()
        return shown


# --- One step of the game ---------------------------------------------------------------------


class Players:
    def __init__(self, width=8, blocks=2, capacity=50):
        self.forth, self.back = translator(width, blocks), translator(width, blocks)
        self.judge_x, self.judge_y = critic(width), critic(width)
        self.pool_x, self.pool_y = Pool(capacity), Pool(capacity)
        how = {"lr": 2e-4, "betas": (0.5, 0.999), "fused": True}
        both = itertools.chain(self.forth.parameters(), self.back.parameters())
        self.translators_adam = torch.optim.Adam(both, **how)
        both = itertools.chain(self.judge_x.parameters(), self.judge_y.parameters())
        self.critics_adam = torch.optim.Adam(both, **how)


def step(players, x, y):
    """The translators move, then the critics; returns both losses."""
    forth, back, judge_x, judge_y = players.forth, players.back, players.judge_x, players.judge_y

    # 1. Translators: least squares against the critics, there and back, and leave alone what is
    # of the right kind already.
    fake_y, fake_x = forth(x), back(y)
    deceive = (judge_y(fake_y) - 1).square().mean() + (judge_x(fake_x) - 1).square().mean()
    cycle = F.l1_loss(back(fake_y), x) + F.l1_loss(forth(fake_x), y)
    same = F.l1_loss(forth(y), y) + F.l1_loss(back(x), x)
    loss = deceive + 10 * cycle + 5 * same
    players.translators_adam.zero_grad()
    loss.backward()
    players.translators_adam.step()

    # 2. Critics, on translations of the translators that have just moved, and on older ones.
    with torch.no_grad():
        fake_y, fake_x = forth(x), back(y)
    old_y, old_x = players.pool_y.mix(fake_y), players.pool_x.mix(fake_x)
    judged = 0
    for judge, real, fake in ((judge_y, y, old_y), (judge_x, x, old_x)):
        judged = judged + (judge(real) - 1).square().mean() + judge(fake).square().mean()
    players.critics_adam.zero_grad()
    (judged / 2).backward()
    players.critics_adam.step()
    return loss.item(), (judged / 2).item()


# --- Data, loop and picture -------------------------------------------------------------------


def both_kinds():
    """Digits and outlines (1797, 1, 16, 16) in [-1, 1]; who knew the pairs could cheat."""
    digits = F.interpolate(torch.tensor(load_digits().images)[:, None].float(), size=16)
    outlines = torch.tensor(grey_dilation(digits.numpy(), size=(1, 1, 3, 3))) - digits
    return digits / 8 - 1, outlines / 8 - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="cyclegan.png", help="where to write the pictures")
    options = parser.parse_args()

    torch.manual_seed(options.seed)
    (x, y), players = both_kinds(), Players()
    for number in range(1, options.steps + 1):
        rows = torch.randint(len(x), (2, options.batch))  # two draws: no pairs
        losses = step(players, x[rows[0]], y[rows[1]])
        if number % 100 == 0 or number == options.steps:
            print(f"step {number:5d}  translators {losses[0]:.3f}  critics {losses[1]:.3f}")
    with torch.no_grad():
        shown = torch.cat([x[:10], players.forth(x[:10]), players.back(players.forth(x[:10]))])
    rows = F.pad(shown, [1, 1, 1, 1], value=1.0)[:, 0].unflatten(0, (3, 10))
    sheet = ((rows.permute(0, 2, 1, 3).flatten(2).flatten(0, 1) + 1) * 127.5).round()
    image = Image.fromarray(sheet.to(torch.uint8).numpy())
    image.resize((3 * image.width, 3 * image.height), Image.Resampling.NEAREST).save(options.out)
    print(f"digits, their translations, and back again: {options.out}")


if __name__ == "__main__":
    main()
