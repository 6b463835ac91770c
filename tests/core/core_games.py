"""Small games for the tests of the engine."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from zerosum.core.game import LatentGame, Turn
from zerosum.core.runtime import Runtime
from zerosum.data.spec import GameConfig

CPU = torch.device("cpu")


class Duel(LatentGame):
    """Two tiny networks; turns and losses can be replaced by a test."""

    def __init__(self, seed=0, dtype=torch.float32):
        super().__init__(GameConfig())
        torch.manual_seed(seed)
        self.generator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
        self.discriminator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
        self.helper = nn.Linear(2, 2)  # frozen: belongs to no player
        self.helper.requires_grad_(False)
        self.moves = [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]
        self.to(dtype)

    def players(self):
        return {"discriminator": [self.discriminator], "generator": [self.generator]}

    def turns(self):
        return self.moves

    def latent(self, n, rng=None):
        return self.normal(n, 2, rng=rng)

    def decode(self, z, condition):
        return {"point": self.generator(z)}

    def discriminator_loss(self, batch):
        with torch.no_grad():
            fake = self.generator(batch["noise"])
        real_logits = self.discriminator(self.helper(batch["point"]))
        fake_logits = self.discriminator(self.helper(fake))
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "real": F.softplus(-real_logits).mean(),
            "fake": F.softplus(fake_logits).mean(),
        }

    def generator_loss(self, batch):
        logits = self.discriminator(self.helper(self.generator(batch["noise"])))
        return {"adversarial": F.softplus(-logits).mean()}


def batches(size=8, dtype=torch.float32, seed=1):
    """Endless batches of points and noise, the same each time."""
    rng = torch.Generator().manual_seed(seed)
    while True:
        yield {
            name: torch.randn(size, 2, generator=rng, dtype=torch.float64).to(dtype)
            for name in ("point", "noise")
        }


def optimizers(game, kind=torch.optim.SGD, **options):
    options = {"lr": 0.1} | options
    return {
        name: kind([p for m in modules for p in m.parameters()], **options)
        for name, modules in game.players().items()
    }


def runtime(**options):
    return Runtime(CPU, **options)


def weights(module):
    return [p.detach().clone() for p in module.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
