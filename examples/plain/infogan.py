"""InfoGAN in one page of plain PyTorch: codes that find the classes without being told.

Chen et al. 2016, arXiv:1606.03657. The generator gets, beside noise, a number from 0 to 9 and two
continuous codes. A recogniser must read them off the pictures, and generator and recogniser are
both paid when it can. So each code must change something visible: the number finds the digits.

    python examples/plain/infogan.py --steps 3000 --out infogan.png

The sheet has one row per value of the number. It learns the 8x8 digits of scikit-learn.
The same game in the library is src/zerosum/models/images/infogan.py, and
tests/examples/test_oracle_infogan.py holds that both compute the same numbers.
"""

import argparse
import math

import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

NOISE, VALUES, STYLES = 32, 10, 2


# --- The networks ----------------------------------------------------------------------------
def make_generator(width):
    """Codes (B, 44) to pictures (B, 1, 8, 8) in [-1, 1]."""
    return nn.Sequential(
        nn.Linear(NOISE + STYLES + VALUES, 2 * width * 16),
        nn.Unflatten(1, (2 * width, 4, 4)),
        *[nn.BatchNorm2d(2 * width), nn.LeakyReLU(0.2)],
        nn.Conv2d(2 * width, width, 3, 1, 1),
        *[nn.BatchNorm2d(width), nn.LeakyReLU(0.2)],
        nn.ConvTranspose2d(width, 1, 4, 2, 1),
        nn.Tanh(),
    )


def make_trunk(width):
    """Pictures (B, 1, 8, 8) to what discriminator and recogniser both see (B, 32 width)."""
    return nn.Sequential(
        *[nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2)],
        *[nn.Conv2d(width, 2 * width, 3, 1, 1), nn.LeakyReLU(0.2)],
        nn.Flatten(),
    )


class Players:
    """Three players; the recogniser moves with the discriminator, whose trunk it shares."""

    def __init__(self, width=32, hidden=128):
        self.generator, self.trunk = make_generator(width), make_trunk(width)
        self.score = nn.Sequential(nn.Linear(32 * width, 1), nn.Flatten(0))
        self.recogniser = nn.Sequential(
            *[nn.Linear(32 * width, hidden), nn.LeakyReLU(0.2)],
            nn.Linear(hidden, VALUES + STYLES),
        )
        # Discriminators win too easily here, so they move more slowly than the generator.
        how = {"betas": (0.5, 0.999), "fused": True}
        judges = [*self.trunk.parameters(), *self.score.parameters()]
        self.judge_adam = torch.optim.Adam(judges, lr=2e-4, **how)
        self.recogniser_adam = torch.optim.Adam(self.recogniser.parameters(), lr=2e-4, **how)
        self.generator_adam = torch.optim.Adam(self.generator.parameters(), lr=1e-3, **how)


# --- One step of the game --------------------------------------------------------------------
def draw_codes(count):
    """Noise and styles together (B, 34), and the number (B,)."""
    noise, styles = torch.randn(count, NOISE), 2 * torch.rand(count, STYLES) - 1
    return torch.cat([noise, styles], dim=1), torch.randint(VALUES, (count,))


def make(players, z, number):
    return players.generator(torch.cat([z, F.one_hot(number, VALUES).float()], dim=1))


def information(players, seen, z, number):
    """Lower bounds on what the pictures tell of the codes, in nats (equation 4)."""
    logits, means = players.recogniser(seen).split([VALUES, STYLES], dim=1)
    of_number = math.log(VALUES) - F.cross_entropy(logits, number)
    # A style is uniform on [-1, 1], of entropy log 2; the recogniser guesses a Gaussian around it.
    errors = (z[:, NOISE:] - means).square()
    of_styles = (math.log(2) - (errors + math.log(2 * math.pi)) / 2).sum(1).mean()
    return of_number, of_styles


def step(players, real):
    """Judges move, then the generator; returns both adversarial losses and the number's bound."""
    # 1. Discriminator and recogniser. Both learn from the same fake pictures.
    with torch.no_grad():
        z, number = draw_codes(len(real))
        fake = make(players, z, number)
    seen = players.trunk(fake)
    real_logits, fake_logits = players.score(players.trunk(real)), players.score(seen)
    judge_loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    of_number, of_styles = information(players, seen, z, number)
    players.judge_adam.zero_grad()
    players.recogniser_adam.zero_grad()
    (judge_loss - of_number - 0.1 * of_styles).backward()
    players.judge_adam.step()
    players.recogniser_adam.step()

    # 2. Generator: deceive the discriminator, and be legible for the recogniser.
    z, number = draw_codes(len(real))
    seen = players.trunk(make(players, z, number))
    generator_loss = F.softplus(-players.score(seen)).mean()
    of_number, of_styles = information(players, seen, z, number)
    players.generator_adam.zero_grad()
    (generator_loss - of_number - 0.1 * of_styles).backward()
    players.generator_adam.step()
    return judge_loss.item(), generator_loss.item(), of_number.item()


# --- Data, loop and picture ------------------------------------------------------------------


@torch.no_grad()
def draw(players, path, columns=10, zoom=6):
    """Write a sheet: a row per number, the same noise down each column."""
    players.generator.eval()
    z, _ = draw_codes(columns)
    rows = [make(players, z, torch.full((columns,), value)) for value in range(VALUES)]
    pictures = F.pad(torch.stack(rows), [1, 1, 1, 1], value=1.0).squeeze(2)
    sheet = pictures.permute(0, 2, 1, 3).flatten(2).flatten(0, 1)
    image = Image.fromarray(((sheet + 1) * 127.5).round().to(torch.uint8).numpy())
    image.resize((zoom * image.width, zoom * image.height), Image.Resampling.NEAREST).save(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", default="infogan.png", help="where to write the pictures")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    data = torch.tensor(load_digits().images, dtype=torch.float32).unsqueeze(1) / 8 - 1
    players = Players()
    for count in range(1, options.steps + 1):
        losses = step(players, data[torch.randint(len(data), (options.batch,))])
        if count % 250 == 0 or count == options.steps:
            print("step {:5}  judge {:.2f}  generator {:.2f}  nats {:.2f}".format(count, *losses))
    draw(players, options.out)
    print(f"wrote {options.out}")


if __name__ == "__main__":
    main()
