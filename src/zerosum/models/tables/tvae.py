"""TVAE: a variational autoencoder for tables of numbers and categories.

Xu, Skoularidou, Cuesta-Infante and Veeramachaneni 2019, "Modeling Tabular data using Conditional
GAN", arXiv:1907.00503, section 4.5: the encoding of CTGAN's rows, an encoder and a decoder of two
hidden layers, and the bound of Kingma and Welling 2014 (arXiv:1312.6114, eq. 3). A number's place
in its mode is normal around a bent mean, with a deviation that is learned for the column; modes
and categories follow a softmax. No GAN: what CTGAN is to be measured against.

Deviations: rows are visited as they are, not by rare categories; the noise of a sample is part of
its code, so that a code decides its row; samples come from averaged weights.
"""

from __future__ import annotations

import math

import torch
from pydantic import Field as Setting
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.modalities.tables import RowField, Table
from zerosum.nets.autoencoder import normal_kl
from zerosum.nets.mlp import mlp


class Decoder(nn.Module):
    """Codes (B, latent) to logits of modes and categories, and means of numbers before tanh.

    Attributes:
        log_sigma: Logarithm of the standard deviation of each column of numbers, (numbers,).
    """

    def __init__(self, sizes: list[int], numbers: int) -> None:
        super().__init__()
        self.network = mlp(sizes, slope=0)
        self.log_sigma = nn.Parameter(torch.full((numbers,), math.log(0.1)))

    def forward(self, codes: Tensor) -> Tensor:
        return self.network(codes)


class TVAE(LatentGame):
    class Config(GameConfig):
        needs = ("row",)

        row: RowField = RowField(shape=(0,), spans=())
        """What an encoded row is; filled in from the data."""
        latent: Count = 128
        """Numbers in the latent code."""
        width: tuple[Count, ...] = (128, 128)
        """Hidden units of the decoder's layers; the encoder has them the other way round."""
        beta: Weight = 1.0
        """Weight of the KL term; 1 is the bound."""
        narrowest: float = Setting(default=0.01, gt=0)
        """Least standard deviation of a number's place in its mode."""

        def matched(self, spec: DataSpec) -> TVAE.Config:
            row = spec.fields.get("row")
            if not isinstance(row, RowField):
                raise UserError(
                    f"tvae learns from tables, but the data hold {', '.join(spec.fields)}: "
                    "name a .csv file with --data, or choose another model"
                )
            return self.model_copy(update={"row": row})

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.beta, self.narrowest = config.latent, config.beta, config.narrowest
        self.width = config.row.shape[0]
        self.scalars = [span.part == "scalar" for span in config.row.spans]
        self.widths = [span.width for span in config.row.spans]
        self.encoder = mlp([self.width, *config.width[::-1], 2 * config.latent], slope=0)
        self.decoder = Decoder([config.latent, *config.width, self.width], sum(self.scalars))

    def players(self) -> dict[str, list[nn.Module]]:
        return {"autoencoder": [self.encoder, self.decoder]}

    def generators(self) -> list[nn.Module]:
        return [self.decoder]

    def turns(self) -> list[Turn]:
        return [Turn("autoencoder", self.loss)]

    @property
    def sigma(self) -> Tensor:
        """Standard deviation (numbers,) of the place in its mode, of each column of numbers."""
        return self.decoder.log_sigma.exp().clamp(self.narrowest, 1.0)

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Codes (n, latent + width): the paper's, and those that a sample's noise is made of."""
        return self.normal(n, self.latent_size + self.width, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        """Rows of hard categories, drawn from the decoder's laws."""
        told = self.decoder(z[:, : self.latent_size]).split(self.widths, 1)
        noise = z[:, self.latent_size :].split(self.widths, 1)
        made, number = [], 0
        for logits, code, scalar in zip(told, noise, self.scalars):
            if scalar:
                made.append((logits.tanh() + self.sigma[number] * code).clamp(-1, 1))
                number += 1
            else:
                # Gumbel noise of normal numbers: the largest sum follows the softmax.
                shaken = logits - torch.log(-torch.special.log_ndtr(code))
                made.append(one_hot(shaken.argmax(1), shaken.shape[1]).to(logits.dtype))
        return {"row": torch.cat(made, 1)}

    def loss(self, batch: Batch) -> Terms:
        """The negative bound in nats, mean over rows (section 4.5)."""
        row = batch["row"]
        mean, log_variance = self.encoder(row).chunk(2, 1)
        log_variance = log_variance.clamp(-12, 8)  # beyond these it is an overflow to come
        z = mean + (log_variance / 2).exp() * self.normal(len(row), self.latent_size)
        return {
            "reconstruction": self.surprise(self.decoder(z), row),
            "kl": self.beta * normal_kl(mean, log_variance).mean(),
        }

    def surprise(self, told: Tensor, row: Tensor) -> Tensor:
        """Negative log probability of rows (B, width) under the decoder's laws, mean over rows.

        Args:
            told: What the decoder says (B, width): logits, and means before tanh.
            row: Encoded rows.
        """
        total, number = torch.zeros(len(row), device=row.device), 0
        pieces = zip(told.split(self.widths, 1), row.split(self.widths, 1), self.scalars)
        for logits, truth, scalar in pieces:
            if scalar:
                sigma = self.sigma[number]
                z = (truth - logits.tanh())[:, 0] / sigma
                total = total + z.square() / 2 + sigma.log() + math.log(2 * math.pi) / 2
                number += 1
            else:
                total = total - (truth * logits.log_softmax(1)).sum(1)
        return total.mean()


SOURCE = "arXiv:1907.00503, section 4.5"

ADAM = {"autoencoder": Optim(lr=1e-3, betas=(0.9, 0.999), weight_decay=1e-5)}
QUICK = {
    "autoencoder": Optim(lr=Cosine(start=2e-3, end=1e-4), betas=(0.9, 0.999), weight_decay=1e-5)
}

SEARCH = {"model.beta": Factor(0.1, 10)}

PRESETS = {
    "adult": Recipe(
        model=TVAE.Config(),
        data=Table(path="adult", balanced=False),
        optim=QUICK,
        ema=Averaging(half_life=48_000),
        train=Train(
            examples=30 * 32_561,
            batch=500,
            checkpoint_every=325_000,
            sheet_every=500_000,
            log_every=10_000,
        ),
        evaluate=Evaluate(samples=10_000, metrics=("quality",)),
        about="30 epochs; a falling learning rate, averaging",
        sources=cite(SOURCE, "model.latent", "model.width")
        | cite("arXiv:1907.00503, section 5", "train.batch"),
    ),
    "paper": Recipe(
        model=TVAE.Config(),
        data=Table(path="adult", balanced=False, distinct=10, spikes=2.0),
        optim=ADAM,
        ema=Averaging(half_life=0),  # samples come from the last weights
        train=Train(
            examples=300 * 32_561,
            batch=500,
            checkpoint_every=1_000_000,
            sheet_every=1_000_000,
            log_every=50_000,
        ),
        evaluate=Evaluate(samples=10_000, metrics=("quality",)),
        about="300 epochs as published",
        sources=cite(SOURCE, "model.latent", "model.width", "optim.autoencoder.lr")
        | cite("arXiv:1907.00503, section 5", "train.batch", "train.examples"),
    ),
    "tiny": Recipe(
        model=TVAE.Config(latent=8, width=(32,)),
        data=Table(path="wine", balanced=False),
        optim=ADAM,
        ema=Averaging(half_life=80),
        train=Train(examples=1_600, batch=40),
        evaluate=Evaluate(samples=64, metrics=("quality",)),
        about="seconds on a CPU, for tests",
    ),
}
