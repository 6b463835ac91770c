"""GANomaly: encode, decode, encode again; what is anomalous comes back as another code.

Akcay, Atapour-Abarghouei and Breckon 2018, "GANomaly: Semi-Supervised Anomaly Detection via
Adversarial Training", arXiv:1805.06725. Of normal examples x alone, with an encoder E, a decoder,
G(x) what both make of x, a second encoder E' and features f of the discriminator:

    eq. 1  adversarial  |f(x) - f(G(x))|^2, weight 1;
    eq. 2  contextual   |x - G(x)|_1, weight 50;
    eq. 3  latent       |E(x) - E'(G(x))|^2, weight 1;
    eq. 5  the score    |E(x) - E'(G(x))|_1.

The discriminator tells x from G(x) by binary cross-entropy (section 3.1); Adam(2e-4, 0.5, 0.999).

Deviations: norms are means over their numbers, as in the authors' code; scores are not scaled to
[0, 1] by the smallest and the largest of the test set (eq. 6), which would make a verdict depend
on whoever else is tested; the discriminator is never built anew; our own few convolutions stand
for DCGAN's. Ours too: rows of tables, which layers of plain units encode, the parts of a row that
are one-hot decoded by a softmax.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, Game, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Factor
from zerosum.data.fields import Field
from zerosum.data.spec import DataSpec
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.reconstruction import l1, l2
from zerosum.modalities.images import Anomalies, ImageConfig, ImageField
from zerosum.modalities.tables import RowField, TableAnomalies
from zerosum.nets.mlp import mlp
from zerosum.nets.plain import Discriminator, Generator, Trunk


class GANomaly(Game):
    class Config(ImageConfig):
        row: RowField | None = None
        """What an encoded row of a table is; filled in from the data, None for pictures."""
        latent: Count = 100
        """Numbers in a code."""
        width: Count = 64
        """Feature maps at half a picture's size; doubled at each level below."""
        hidden: tuple[Count, ...] = (64, 32)
        """Units of the layers between a row and its code."""
        adversarial: Weight = 1.0
        """Weight of the distance of the discriminator's features."""
        contextual: Weight = 50.0
        """Weight of the distance of examples."""
        consistency: Weight = 1.0
        """Weight of the distance of codes."""

        def matched(self, spec: DataSpec) -> Self:
            row = spec.fields.get("row")
            if isinstance(row, RowField):
                return self.model_copy(update={"row": row})
            return super().matched(spec)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights = (config.adversarial, config.contextual, config.consistency)
        self.objective = OBJECTIVES["nonsaturating"]
        self.row = config.row
        if config.row is None:
            shape = (config.width, config.channels, config.size)
            self.name, self.given = "image", ImageField(shape=(config.channels, *config.size))
            encoders = [_convolutional(config.latent, *shape) for _ in range(2)]
            self.decoder: nn.Module = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
            self.discriminator: nn.Sequential = Discriminator(*shape, norm=nn.BatchNorm2d)
        else:
            layers = (config.row.shape[0], *config.hidden)
            self.name, self.given = "row", config.row
            encoders = [mlp([*layers, config.latent]) for _ in range(2)]
            self.decoder = mlp([config.latent, *reversed(layers)])
            trunk = mlp(layers, final=nn.LeakyReLU(0.2))
            self.discriminator = nn.Sequential(trunk, nn.Linear(layers[-1], 1), nn.Flatten(0))
        self.encoder, self.second = encoders

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "discriminator": [self.discriminator],
            "generator": [self.encoder, self.decoder, self.second],
        }

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def inputs(self) -> dict[str, Field]:
        return {self.name: self.given}

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        """Reconstructions of the examples that are given, under their own name."""
        if self.name not in condition or condition[self.name].shape[0] != n:
            raise UserError(f"ganomaly reconstructs: give {n} examples as {self.name}")
        return {self.name: self.reconstruct(condition[self.name])}

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.discriminator(batch[self.name])}

    def reconstruct(self, examples: Tensor) -> Tensor:
        """What decoding makes of the codes of examples (B, ...), in their shape."""
        return self.decode(self.encoder(examples))

    def decode(self, codes: Tensor) -> Tensor:
        """Examples (B, ...) of codes (B, latent)."""
        made = self.decoder(codes)
        if self.row is None:
            return made
        parts = zip(self.row.spans, made.split([span.width for span in self.row.spans], 1))
        return torch.cat([p.tanh() if s.part == "scalar" else p.softmax(1) for s, p in parts], 1)

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch[self.name]
        with torch.no_grad():
            fake = self.reconstruct(real)
        real_logits, fake_logits = self.discriminator(real), self.discriminator(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {"adversarial": self.objective.critic(real_logits, fake_logits) / 2}

    def generator_loss(self, batch: Batch) -> Terms:
        real = batch[self.name]
        codes = self.encoder(real)
        made = self.decode(codes)
        with torch.no_grad():
            seen = self.discriminator[0](real)
        adversarial, contextual, consistency = self.weights
        return {
            "adversarial": adversarial * l2(self.discriminator[0](made), seen),
            "contextual": contextual * l1(made, real),
            "latent": consistency * l2(self.second(made), codes),
        }

    def anomaly(self, batch: Batch) -> Tensor:
        codes = self.encoder(batch[self.name])
        return (codes - self.second(self.decode(codes))).abs().mean(1)

    def anomaly_map(self, batch: Batch) -> Tensor:
        if self.row is not None:
            raise UserError("rows of tables have no map of anomalies: leave the maps out")
        images = batch[self.name]
        return (self.reconstruct(images) - images).abs().mean(1, keepdim=True)


def _convolutional(latent: int, width: int, channels: int, size: tuple[int, int]) -> nn.Module:
    trunk = Trunk(width, channels, size, norm=nn.BatchNorm2d)
    return nn.Sequential(trunk, nn.Linear(trunk.features, latent))


ADAM = Optim(lr=2e-4, betas=(0.5, 0.999))  # section 4
BOTH = {"discriminator": ADAM, "generator": ADAM}
QUICK = {"discriminator": ADAM, "generator": Optim(lr=1e-3, betas=(0.5, 0.999))}

LOSSES = "arXiv:1805.06725, section 4"

SEARCH = {"model.contextual": Factor(0.1, 2), "model.latent": Factor(0.1, 2)}

PRESETS = {
    "mnist": Recipe(
        model=GANomaly.Config(latent=32, width=16),
        data=Anomalies(path="mnist", normal="1"),
        optim=QUICK,
        ema=Averaging(half_life=5_000),
        train=Train(
            examples=100_000, checkpoint_every=50_000, sheet_every=25_000, channels_last=True
        ),
        evaluate=Evaluate(samples=500),
        about="two minutes on one core",
        sources=cite(LOSSES, "model.adversarial", "model.contextual", "model.consistency"),
    ),
    "pneumonia": Recipe(
        model=GANomaly.Config(latent=32, width=16),
        data=Anomalies(path="pneumoniamnist", normal="normal", flip=True),
        optim=QUICK,
        ema=Averaging(half_life=5_000),
        train=Train(
            examples=100_000, checkpoint_every=50_000, sheet_every=25_000, channels_last=True
        ),
        evaluate=Evaluate(samples=350),
        about="two minutes on one core",
        sources=cite(LOSSES, "model.adversarial", "model.contextual", "model.consistency"),
    ),
    "photos": Recipe(
        model=GANomaly.Config(),
        data=Anomalies(path="photos", size=(64, 64)),
        optim=BOTH,
        ema=Averaging(half_life=0),
        train=Train(examples=1_000_000, channels_last=True),
        evaluate=Evaluate(every=200_000, samples=2_000),
        about="a folder with normal/ in it; for a GPU",
        sources=cite(
            LOSSES, "model.adversarial", "model.contextual", "model.consistency", "optim"
        ),
    ),
    "mammography": Recipe(
        model=GANomaly.Config(latent=4, hidden=(32, 16)),
        data=TableAnomalies(path="tabular/mammography.csv.gz", target="column_7", normal="-1"),
        optim=QUICK,
        ema=Averaging(half_life=5_000),
        train=Train(examples=200_000, checkpoint_every=100_000, sheet_every=100_000),
        evaluate=Evaluate(samples=0),
        about="rows of a table; a minute on one core",
        sources=cite(LOSSES, "model.adversarial", "model.contextual", "model.consistency"),
    ),
    "tiny": tiny(GANomaly.Config(latent=8, width=8), Anomalies(path="digits", normal="1"), BOTH),
}
