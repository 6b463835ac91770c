"""CTAB-GAN+: a conditional GAN for tables whose generator is taught by a third player too.

Zhao, Kunar, Birke and Chen 2021, "CTAB-GAN: Effective Table Data Synthesizing", arXiv:2102.08369,
and Zhao, Kunar, Birke, van der Scheer and Chen 2022, "CTAB-GAN+: Enhancing Tabular Data
Synthesis", arXiv:2204.00401. Mixed columns have modes for single values and missing ones, long
tails are learned by their logarithm (section 3.2 of the first, in the codec). Beside the
adversarial loss, of WGAN-GP in the second paper, and the cross-entropy of the conditioned column,
the generator follows an information loss, which brings mean and deviation of the critic's last
hidden features near those of real rows, and a downstream loss: an auxiliary classifier or
regressor, trained on real rows, predicts the target column from the others, and generated rows
are to agree with it (section 3.3 of the first, 3 of the second).

Deviations: networks are ctgan's perceptrons, where the papers lay a row out as a square picture
for convolutions: columns have no neighbours, and the square has room for so many columns alone.
Conditions name a category of a discrete column, where the papers' name a mode of a number too. A
number that is the target is predicted as it is encoded: its mode, and its place there. The noise
of the Gumbel softmax is a function of further Gaussian codes; samples come from averaged weights,
and outside training they are hard categories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from zerosum.config import Count, Fraction, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.data.fields import Field
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.tables import ConditionField, RowField, Table, TableCodec
from zerosum.nets.mlp import mlp
from zerosum.nets.rows import gumbel, heads, writer


class CTABGAN(LatentGame):
    class Config(GameConfig):
        needs = ("row",)

        row: RowField = RowField(shape=(0,), spans=())
        """What an encoded row is; filled in from the data."""
        condition: ConditionField | None = None
        """What a condition is, with the data's frequencies; filled in from the data. None where
        no column is discrete."""
        target: str = ""
        """The column that the auxiliary player predicts; empty takes data.target, or the last."""
        latent: Count = 100
        """Numbers in the latent code."""
        generator_width: tuple[Count, ...] = (256, 256)
        """New features of each residual block of the generator."""
        critic_width: tuple[Count, ...] = (256, 256)
        """Hidden units of the critic's layers."""
        auxiliary_width: tuple[Count, ...] = (256, 256, 256, 256)
        """Hidden units of the classifier's or regressor's layers."""
        dropout: Fraction = 0.5
        """Share of the auxiliary player's hidden units that are dropped."""
        temperature: float = Setting(default=0.2, gt=0)
        """Of the Gumbel softmax in training."""
        critic_steps: Count = 1
        """Moves of the critic per step."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty."""
        obedience: Weight = 1.0
        """Weight of the cross-entropy of the conditioned column."""
        information: Weight = 1.0
        """Weight of the information loss."""
        downstream: Weight = 1.0
        """Weight of the downstream loss."""

        def matched(self, spec: DataSpec) -> CTABGAN.Config:
            row, condition = spec.fields.get("row"), spec.fields.get("condition")
            if not isinstance(row, RowField) or not isinstance(spec.codec, TableCodec):
                raise UserError(
                    f"ctabgan learns from tables, but the data hold {', '.join(spec.fields)}: "
                    "name a .csv file with --data, or choose another model"
                )
            names = {span.column for span in row.spans}
            target = self.target or spec.codec.target or [*spec.codec.described][-1]
            if self.target and self.target not in names:
                raise UserError(
                    f"model.target={self.target}: no learned column is called so: known: "
                    f"{', '.join(sorted(names))}"
                )
            kept = condition if isinstance(condition, ConditionField) else None
            # A column that a constraint derives is in no row: then nobody predicts it.
            found = target if target in names else ""
            return self.model_copy(update={"row": row, "condition": kept, "target": found})

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.temperature = config.latent, config.temperature
        self.critic_steps, self.penalty = config.critic_steps, config.penalty
        self.obedience, self.information = config.obedience, config.information
        self.downstream = config.downstream
        self.objective = OBJECTIVES["wasserstein"]
        self.condition = config.condition
        self.width = config.row.shape[0]
        self.scalars = [span.part == "scalar" for span in config.row.spans]
        self.widths = [span.width for span in config.row.spans]
        self.discrete = [span.part == "category" for span in config.row.spans]
        asked = self.condition.shape[0] if self.condition else 0
        self.generator = writer(config.latent + asked, config.generator_width, self.width)
        widths = config.critic_width
        self.trunk = mlp([self.width + asked, *widths], final=nn.LeakyReLU(0.2))
        self.head = nn.Sequential(nn.Linear(widths[-1], 1), nn.Flatten(0))
        # Positions of the target, which stand together, and the parts they are made of.
        spans = [span for span in config.row.spans if span.column == config.target]
        self.target = slice(spans[0].start, spans[-1].stop) if spans else None
        self.parts = [(span.width, span.part == "scalar") for span in spans]
        aimed = sum(width for width, _ in self.parts)
        others = self.width - aimed
        self.auxiliary = (
            mlp([others, *config.auxiliary_width, aimed], dropout=config.dropout)
            if aimed and others
            else None
        )

    def players(self) -> dict[str, list[nn.Module]]:
        players: dict[str, list[nn.Module]] = {
            "critic": [self.trunk, self.head],
            "generator": [self.generator],
        }
        if self.auxiliary is not None:
            players["auxiliary"] = [self.auxiliary]
        return players

    def turns(self) -> list[Turn]:
        turns = [Turn("critic", self.critic_loss, repeat=self.critic_steps)]
        turns += [Turn("auxiliary", self.auxiliary_loss)] if self.auxiliary else []
        return [*turns, Turn("generator", self.generator_loss)]

    def conditions(self) -> Mapping[str, Field]:
        return {"condition": self.condition} if self.condition else {}

    def critics(self) -> Mapping[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.critic(self._beside(batch["row"], batch))}

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Codes (n, latent + width): the paper's, and those that the Gumbel noise is made of."""
        return self.normal(n, self.latent_size + self.width, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        """Conditions (n, categories): any discrete column, its categories as in the data."""
        if self.condition is None:
            return {}
        return {"condition": self.condition.drawn(n, rng, self.device)}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        raw = self.generator(self._beside(z[:, : self.latent_size], condition))
        made = {"row": self.heads(raw, gumbel(z[:, self.latent_size :]))}
        return made | {name: condition[name] for name in self.conditions()}

    def heads(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Rows (B, width) of logits (B, width) and Gumbel noise (B, width)."""
        return heads(
            raw,
            noise,
            widths=self.widths,
            scalars=self.scalars,
            temperature=self.temperature,
            hard=not self.training,
        )

    def critic(self, joined: Tensor) -> Tensor:
        """Logits (B,) of rows beside their conditions (B, width + categories)."""
        return self.head(self.trunk(joined))

    def trial(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the generator says (B, width) under a batch's conditions, and the rows of it."""
        n = len(batch["row"])
        raw = self.generator(self._beside(self.normal(n, self.latent_size), batch))
        uniform = torch.rand(raw.shape, device=raw.device).clamp(min=1e-12)
        return raw, self.heads(raw, -torch.log(-torch.log(uniform)))

    def critic_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake = self.trial(batch)[1]
        pairs = [self._beside(row, batch) for row in (batch["row"], fake)]
        real_logits, fake_logits = (self.critic(pair) for pair in pairs)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.penalty * gradient_penalty(self.critic, *pairs),
        }

    def auxiliary_loss(self, batch: Batch) -> Terms:
        return {"prediction": self.disagreement(batch["row"])}

    def generator_loss(self, batch: Batch) -> Terms:
        raw, row = self.trial(batch)
        features = self.trunk(self._beside(row, batch))
        terms = {"adversarial": self.objective.generator(self.head(features))}
        if self.information:
            with torch.no_grad():
                real = self.trunk(self._beside(batch["row"], batch))
            terms["information"] = self.information * information(real, features)
        if self.downstream and self.auxiliary:
            terms["downstream"] = self.downstream * self.disagreement(row)
        if self.obedience and self.condition:
            terms["condition"] = self.obedience * self.disobedience(raw, batch["condition"])
        return terms

    def disagreement(self, row: Tensor) -> Tensor:
        """How far rows (B, width) are from what the auxiliary player predicts of their target.

        Cross-entropy of categories and modes, squared error of a number's place in its mode;
        mean over rows.
        """
        assert self.auxiliary is not None and self.target is not None
        others = torch.cat([row[:, : self.target.start], row[:, self.target.stop :]], 1)
        widths = [width for width, _ in self.parts]
        total = torch.zeros(len(row), device=row.device)
        told, truths = (
            self.auxiliary(others).split(widths, 1),
            row[:, self.target].split(widths, 1),
        )
        for guess, truth, (_, scalar) in zip(told, truths, self.parts):
            if scalar:
                total = total + (guess - truth).square().sum(1)
            else:
                total = total - (truth * guess.log_softmax(1)).sum(1)
        return total.mean()

    def disobedience(self, raw: Tensor, condition: Tensor) -> Tensor:
        """Cross-entropy of the column that a condition names, mean over rows.

        Args:
            raw: What the generator says (B, width).
            condition: One-hot (B, categories).
        """
        pieces = zip(raw.split(self.widths, 1), self.discrete)
        logs = torch.cat([piece.log_softmax(1) for piece, kept in pieces if kept], 1)
        return -(condition * logs).sum(1).mean()

    def _beside(self, x: Tensor, condition: Batch) -> Tensor:
        return torch.cat([x, condition["condition"]], 1) if self.condition else x


def information(real: Tensor, fake: Tensor) -> Tensor:
    """Euclidean distances of mean and standard deviation of two sets of features (B, d), added.

    arXiv:2102.08369, section 3.3.
    """
    mean = torch.linalg.vector_norm(real.mean(0) - fake.mean(0))
    return mean + torch.linalg.vector_norm(real.std(0) - fake.std(0))


ADAM = Optim(lr=2e-4, betas=(0.5, 0.9), eps=1e-3, weight_decay=1e-5)
QUICK = Optim(lr=Cosine(start=5e-4, end=5e-5), betas=(0.5, 0.9), weight_decay=1e-6)


def _all(optim: Optim) -> dict[str, Optim]:
    return {"critic": optim, "generator": optim, "auxiliary": optim}


PENALTY = cite("arXiv:1704.00028, algorithm 1", "model.penalty")

SEARCH = {"model.information": Factor(0.1, 10), "model.downstream": Factor(0.1, 10)}

PRESETS = {
    "adult": Recipe(
        model=CTABGAN.Config(),
        data=Table(path="adult", balanced=False),
        optim=_all(QUICK),
        ema=Averaging(half_life=48_000),
        train=Train(
            examples=30 * 32_561,
            batch=500,
            checkpoint_every=325_000,
            sheet_every=500_000,
            log_every=10_000,
        ),
        evaluate=Evaluate(samples=10_000, metrics=("quality",)),
        about="30 epochs; rows as often as they are, a falling learning rate, averaging",
        sources=PENALTY | cite("arXiv:2102.08369, section 4.1", "train.batch"),
    ),
    "paper": Recipe(
        model=CTABGAN.Config(),
        data=Table(path="adult"),
        optim=_all(ADAM),
        ema=Averaging(half_life=0),  # samples come from the last weights
        train=Train(
            examples=150 * 32_561,
            batch=500,
            checkpoint_every=1_000_000,
            sheet_every=1_000_000,
            log_every=50_000,
        ),
        evaluate=Evaluate(samples=10_000, metrics=("quality",)),
        about="150 epochs, training by sampling",
        sources=PENALTY | cite("arXiv:2102.08369, section 4.1", "train.batch", "train.examples"),
    ),
    "tiny": Recipe(
        model=CTABGAN.Config(
            latent=16, generator_width=(32,), critic_width=(32,), auxiliary_width=(32,)
        ),
        data=Table(path="wine"),
        optim=_all(ADAM),
        ema=Averaging(half_life=80),
        train=Train(examples=1_600, batch=40),
        evaluate=Evaluate(samples=64, metrics=("quality",)),
        about="seconds on a CPU, for tests",
    ),
}
