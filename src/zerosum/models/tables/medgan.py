"""medGAN: records of binary and count codes, through an autoencoder.

Choi, Biswal, Malin, Duke, Stewart and Sun 2017, "Generating Multi-label Discrete Patient Records
using Generative Adversarial Networks", arXiv:1703.06490: an autoencoder is trained first, then a
generator makes its codes and the decoder the records, which a critic judges beside the mean of its
minibatch (minibatch averaging). The generator has shortcut connections and batch normalisation;
the decoder moves on with it.

Binary codes, one-hot categories and modes come from a sigmoid and are judged by cross-entropy in
the autoencoder; counts and other numbers by the squared error. Records are whole: the codec
makes whole numbers of counts, and hard categories are the samples' own.

Deviations: numbers are encoded as CTGAN's (arXiv:1907.00503, section 4.2); categories are drawn in
proportion to their bits, where the paper rounds (`draw=false`): the critic compares the means of
bits that are no whole numbers yet, and rounding keeps no mean; pretraining is a share of the run;
samples come from averaged weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from zerosum.config import Count, Share
from zerosum.core.game import Batch, LatentGame, SampleOptions, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.tables import RowField, Table
from zerosum.nets.mlp import mlp
from zerosum.nets.rows import gumbel, heads


class Shortcut(nn.Module):
    """Features (B, size) and what a layer makes of them, added."""

    def __init__(self, size: int, activation: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(size, size, bias=False), nn.BatchNorm1d(size), activation
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x) + x


class MedGAN(LatentGame):
    class Config(GameConfig):
        needs = ("row",)

        row: RowField = RowField(shape=(0,), spans=())
        """What an encoded row is; filled in from the data."""
        latent: Count = 128
        """Numbers in the latent code, and in the autoencoder's."""
        layers: Count = 3
        """Layers of the generator."""
        critic_width: tuple[Count, ...] = (256, 128)
        """Hidden units of the critic's layers."""
        critic_steps: Count = 2
        """Moves of the critic per step."""
        pretrain: Share = 0.1
        """Share of the run in which the autoencoder alone is trained."""
        averaging: bool = True
        """Show the critic the mean of the minibatch beside each row."""

        def matched(self, spec: DataSpec) -> MedGAN.Config:
            row = spec.fields.get("row")
            if not isinstance(row, RowField):
                raise UserError(
                    f"medgan learns from tables, but the data hold {', '.join(spec.fields)}: "
                    "name a .csv file with --data, or choose another model"
                )
            return self.model_copy(update={"row": row})

    class Options(SampleOptions):
        draw: bool = True
        """Draw categories in proportion to their bits; false takes the likeliest, as published."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.critic_steps = config.latent, config.critic_steps
        self.pretrain, self.averaging = config.pretrain, config.averaging
        self.objective = OBJECTIVES["nonsaturating"]
        self.scalars = [span.part == "scalar" for span in config.row.spans]
        self.widths = [span.width for span in config.row.spans]
        self.width = width = sum(self.widths)
        numbers = [scalar for scalar, n in zip(self.scalars, self.widths) for _ in range(n)]
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.bool), persistent=False)
        self.numbers: Tensor
        self.encoder = nn.Sequential(nn.Linear(width, config.latent), nn.Tanh())
        self.decoder = nn.Linear(config.latent, width)
        hidden = [Shortcut(config.latent, nn.ReLU()) for _ in range(config.layers - 1)]
        self.generator = nn.Sequential(*hidden, Shortcut(config.latent, nn.Tanh()))
        joined = width * (2 if config.averaging else 1)
        self.critic = mlp([joined, *config.critic_width, 1], slope=0, final=nn.Flatten(0))

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "encoder": [self.encoder],
            "decoder": [self.decoder],
            "critic": [self.critic],
            "generator": [self.generator],
        }

    def turns(self) -> list[Turn]:
        if not self.ready():
            return [Turn(("encoder", "decoder"), self.autoencoder_loss)]
        return [
            Turn("critic", self.critic_loss, repeat=self.critic_steps),
            Turn(("generator", "decoder"), self.generator_loss),
        ]

    def ready(self) -> bool:
        return self.progress.seen >= self.pretrain * self.progress.total

    def generators(self) -> list[nn.Module]:
        return [self.generator, self.decoder]

    def critics(self) -> Mapping[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.judge(batch["row"])}

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Codes (n, latent + width): the paper's, and those that categories are drawn with."""
        return self.normal(n, self.latent_size + self.width, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        """Rows (n, width) with hard categories."""
        assert isinstance(self.options, MedGAN.Options)
        told = self.told(z[:, : self.latent_size])
        raw = torch.where(self.numbers, told, logsigmoid(told))
        chance = gumbel(z[:, self.latent_size :]) if self.options.draw else torch.zeros_like(raw)
        row = heads(
            raw, chance, widths=self.widths, scalars=self.scalars, temperature=1.0, hard=True
        )
        return {"row": row}

    def told(self, code: Tensor) -> Tensor:
        """What the decoder says (B, width) of the records whose codes (B, latent) are drawn."""
        return self.decoder(self.generator(code))

    def fake(self, n: int) -> Tensor:
        """Rows (n, width) as the critic sees them in training."""
        return self.relaxed(self.told(self.normal(n, self.latent_size)))

    def relaxed(self, told: Tensor) -> Tensor:
        """Rows (B, width) of what the decoder says: numbers by tanh, all else by a sigmoid."""
        return torch.where(self.numbers, told.tanh(), told.sigmoid())

    def judge(self, row: Tensor) -> Tensor:
        """Logits (B,) of rows (B, width), each beside the mean of all."""
        if self.averaging:
            row = torch.cat([row, row.mean(0, keepdim=True).expand_as(row)], 1)
        return self.critic(row)

    def autoencoder_loss(self, batch: Batch) -> Terms:
        """Cross-entropy of bits, squared error of numbers: summed over a row, mean over rows."""
        row = batch["row"]
        told = self.decoder(self.encoder(row))
        bits = binary_cross_entropy_with_logits(told, row.clamp(0, 1), reduction="none")
        error = torch.where(self.numbers, (told.tanh() - row).square(), bits)
        return {"reconstruction": error.sum(1).mean()}

    def critic_loss(self, batch: Batch) -> Terms:
        row = batch["row"]
        with torch.no_grad():
            fake = self.fake(len(row))
        real_logits, fake_logits = self.judge(row), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits)}

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.fake(len(batch["row"]))
        return {"adversarial": self.objective.generator(self.judge(fake))}


ADAM = Optim(lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-3)
PLAYERS: dict[str, Optim] = {
    "encoder": ADAM,
    "decoder": ADAM,
    "critic": ADAM,
    "generator": ADAM,
}

SOURCE = "arXiv:1703.06490"

PRESETS = {
    "adult": Recipe(
        model=MedGAN.Config(),
        data=Table(path="adult", balanced=False),
        optim=PLAYERS,
        ema=Averaging(half_life=48_000),
        train=Train(
            examples=30 * 32_561,
            batch=500,
            checkpoint_every=325_000,
            sheet_every=500_000,
            log_every=10_000,
        ),
        evaluate=Evaluate(samples=10_000, metrics=("quality",)),
        about="30 epochs; averaging",
        sources=cite(SOURCE, "model.critic_width", "model.latent", "model.critic_steps"),
    ),
    "paper": Recipe(
        model=MedGAN.Config(pretrain=0.0909),
        data=Table(path="adult", balanced=False),
        optim=PLAYERS,
        ema=Averaging(half_life=0),  # samples come from the last weights
        train=Train(
            examples=1_100 * 32_561,
            batch=1_000,
            checkpoint_every=5_000_000,
            sheet_every=5_000_000,
            log_every=100_000,
        ),
        evaluate=Evaluate(samples=10_000, metrics=("quality",)),
        about="100 epochs of the autoencoder and 1,000 of the game, as published",
        sources=cite(
            SOURCE,
            "model.critic_width",
            "model.latent",
            "model.critic_steps",
            "train.batch",
            "optim.critic.lr",
            "optim.generator.lr",
        ),
    ),
    "tiny": Recipe(
        model=MedGAN.Config(latent=8, critic_width=(32, 16), pretrain=0.2),
        data=Table(path="wine", balanced=False),
        optim=PLAYERS,
        ema=Averaging(half_life=80),
        train=Train(examples=1_600, batch=40),
        evaluate=Evaluate(samples=64, metrics=("quality",)),
        about="seconds on a CPU, for tests",
    ),
}
