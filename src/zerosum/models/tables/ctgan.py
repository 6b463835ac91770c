"""CTGAN: a conditional GAN for tables of numbers and categories.

Xu, Skoularidou, Cuesta-Infante and Veeramachaneni 2019, "Modeling Tabular data using Conditional
GAN", arXiv:1907.00503: mode-specific normalisation of numbers (section 4.2, in the codec), a
condition that names one category of one discrete column, with a cross-entropy that makes the
generator obey it, and training by sampling, which visits categories by the logarithm of their
frequency (section 4.3, in the data), the networks of section 4.4, and the losses of WGAN-GP on
packs of ten rows (PacGAN).

Deviations: real rows have the conditions that generated ones were asked for, one by one (the paper
draws both alike); the logarithm is taken of the frequency plus one, so that a category of one row
is seen; values that many rows share are modes of their own (see the codec); the noise of the
Gumbel softmax is a function of further Gaussian codes, so that a code decides its row; samples
come from averaged weights, and outside training they are hard categories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from pydantic import Field as Setting
from torch import Tensor, nn

from zerosum.config import Count, Weight
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.data.fields import Field
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.packing import packed
from zerosum.losses.penalties import gradient_penalty
from zerosum.modalities.tables import ConditionField, RowField, Table
from zerosum.nets.mlp import mlp
from zerosum.nets.rows import gumbel, heads, writer


class CTGAN(LatentGame):
    class Config(GameConfig):
        needs = ("row",)

        row: RowField = RowField(shape=(0,), spans=())
        """What an encoded row is; filled in from the data."""
        condition: ConditionField | None = None
        """What a condition is, with the data's frequencies; filled in from the data. None where
        no column is discrete."""
        latent: Count = 128
        """Numbers in the latent code."""
        generator_width: tuple[Count, ...] = (256, 256)
        """New features of each residual block of the generator."""
        critic_width: tuple[Count, ...] = (256, 256)
        """Hidden units of the critic's layers."""
        dropout: float = Setting(default=0.5, ge=0, lt=1)
        """Share of the critic's hidden units that are dropped."""
        pack: Count = 10
        """Rows that are judged together. It must divide the (micro-)batch."""
        temperature: float = Setting(default=0.2, gt=0)
        """Of the Gumbel softmax in training."""
        critic_steps: Count = 1
        """Moves of the critic per step."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty."""
        obedience: Weight = 1.0
        """Weight of the cross-entropy of the conditioned column."""

        def matched(self, spec: DataSpec) -> CTGAN.Config:
            row, condition = spec.fields.get("row"), spec.fields.get("condition")
            if not isinstance(row, RowField):
                raise UserError(
                    f"ctgan learns from tables, but the data hold {', '.join(spec.fields)}: "
                    "name a .csv file with --data, or choose another model"
                )
            kept = condition if isinstance(condition, ConditionField) else None
            return self.model_copy(update={"row": row, "condition": kept})

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.pack = config.latent, config.pack
        self.temperature, self.critic_steps = config.temperature, config.critic_steps
        self.penalty, self.obedience = config.penalty, config.obedience
        self.objective = OBJECTIVES["wasserstein"]
        self.condition = config.condition
        self.width = config.row.shape[0]
        self.scalars = [span.part == "scalar" for span in config.row.spans]
        self.widths = [span.width for span in config.row.spans]
        self.discrete = [span.part == "category" for span in config.row.spans]
        size = config.latent + self.asked
        self.generator = writer(size, config.generator_width, self.width)
        joined = config.pack * (self.width + self.asked)
        self.critic = mlp(
            [joined, *config.critic_width, 1], dropout=config.dropout, final=nn.Flatten(0)
        )

    @property
    def asked(self) -> int:
        """Numbers in a condition."""
        return self.condition.shape[0] if self.condition else 0

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def turns(self) -> list[Turn]:
        return [
            Turn("critic", self.critic_loss, repeat=self.critic_steps),
            Turn("generator", self.generator_loss),
        ]

    def conditions(self) -> Mapping[str, Field]:
        return {"condition": self.condition} if self.condition else {}

    def critics(self) -> Mapping[str, Callable[[Batch], Tensor]]:
        return {"critic": self._judged}

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Codes (n, latent + width): the paper's, and those that the Gumbel noise is made of."""
        return self.normal(n, self.latent_size + self.width, rng=rng)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        """Conditions (n, categories): any discrete column, its categories as often as in the data.

        The paper samples so too: what training asks for is the logarithm.
        """
        if self.condition is None:
            return {}
        return {"condition": self.condition.drawn(n, rng, self.device)}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        raw = self.raw(z, condition)
        made = {"row": self.heads(raw, gumbel(z[:, self.latent_size :]))}
        return made | {name: condition[name] for name in self.conditions()}

    def raw(self, z: Tensor, condition: Batch) -> Tensor:
        """What the generator says (B, width) before its heads: logits and bent numbers."""
        code = z[:, : self.latent_size]
        return self.generator(self._beside(code, condition))

    def trial(self, asked: Batch, n: int) -> tuple[Tensor, Tensor]:
        """What the generator says, and the rows that follow, both (n, width), in training.

        No code is asked for the noise of the softmax here: uniform numbers are cheaper.
        """
        raw = self.raw(self.normal(n, self.latent_size), asked)
        uniform = torch.rand(raw.shape, device=raw.device).clamp(min=1e-12)
        return raw, self.heads(raw, -torch.log(-torch.log(uniform)))

    def heads(self, raw: Tensor, noise: Tensor) -> Tensor:
        """Rows (B, width) of logits: tanh, and the Gumbel softmax (Jang et al. 2017).

        Args:
            raw: As `raw` gives it.
            noise: Gumbel noise (B, width).
        """
        return heads(
            raw,
            noise,
            widths=self.widths,
            scalars=self.scalars,
            temperature=self.temperature,
            hard=not self.training,
        )

    def judge(self, row: Tensor, condition: Batch) -> Tensor:
        """Logits (B / pack,) of packs of rows (B, width), each beside its condition."""
        return self.critic(packed(self._beside(row, condition), self.pack))

    def critic_loss(self, batch: Batch) -> Terms:
        asked = {name: batch[name] for name in self.conditions()}
        with torch.no_grad():
            fake = self.trial(asked, len(batch["row"]))[1]
        pairs = [packed(self._beside(row, asked), self.pack) for row in (batch["row"], fake)]
        real_logits, fake_logits = self.critic(torch.cat(pairs)).chunk(2)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.penalty * gradient_penalty(self.critic, *pairs),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        asked = {name: batch[name] for name in self.conditions()}
        raw, row = self.trial(asked, len(batch["row"]))
        terms = {"adversarial": self.objective.generator(self.judge(row, asked))}
        if self.obedience and self.condition:
            terms["condition"] = self.obedience * self.disobedience(raw, asked["condition"])
        return terms

    def disobedience(self, raw: Tensor, condition: Tensor) -> Tensor:
        """Cross-entropy of the column that a condition names (section 4.3), mean over rows.

        Args:
            raw: As `raw` gives it (B, width).
            condition: One-hot (B, categories).
        """
        pieces = zip(raw.T.contiguous().split(self.widths), self.discrete)  # as in `heads`
        logs = torch.cat([piece.log_softmax(0) for piece, kept in pieces if kept])
        return -(condition.T * logs).sum(0).mean()

    def _beside(self, x: Tensor, condition: Batch) -> Tensor:
        return torch.cat([x, condition["condition"]], 1) if self.condition else x

    def _judged(self, batch: Batch) -> Tensor:
        """Logits of whole packs; fewer rows than a pack are repeated, a rest is left out."""
        row = batch["row"]
        count = max(len(row) // self.pack, 1) * self.pack
        rows = torch.arange(count, device=row.device) % len(row)
        return self.judge(row[rows], {name: batch[name][rows] for name in self.conditions()})


ADAM = Optim(lr=2e-4, betas=(0.5, 0.9), weight_decay=1e-6)
QUICK = Optim(lr=Cosine(start=5e-4, end=5e-5), betas=(0.5, 0.9), weight_decay=1e-6)

NETWORKS = "arXiv:1907.00503, section 4.4"

SEARCH = {"model.penalty": Factor(0.1, 10)}

PRESETS = {
    "adult": Recipe(
        # A critic of single rows that drops nothing sees in 30 epochs which columns hang
        # together; one of ten rows, half of whose units are dropped, does not. Rows as often as
        # they are: what is spent on rare categories is lacking where most rows are. Smaller
        # networks: the published ones add 0.01 to the pair trends and two fifths to the time.
        model=CTGAN.Config(pack=1, dropout=0.0, generator_width=(256,), critic_width=(256, 128)),
        data=Table(path="adult", balanced=False),
        optim={"critic": QUICK, "generator": QUICK},
        ema=Averaging(half_life=48_000),
        train=Train(
            examples=30 * 32_561,
            batch=500,
            checkpoint_every=325_000,
            sheet_every=30 * 32_561,
            log_every=20_000,
        ),
        evaluate=Evaluate(samples=10_000, metrics=("quality",)),
        about="30 epochs; single rows as often as they are, smaller networks, a falling rate",
        sources=cite(
            NETWORKS,
            "model.temperature",
            "model.penalty",
        )
        | cite("arXiv:1907.00503, section 5", "train.batch"),
    ),
    "paper": Recipe(
        model=CTGAN.Config(),
        # As published: no modes for single values, numbers are numbers however few they are.
        data=Table(path="adult", distinct=10, spikes=2.0),
        optim={"critic": ADAM, "generator": ADAM},
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
        sources=cite(
            NETWORKS,
            "model.generator_width",
            "model.critic_width",
            "model.temperature",
            "model.pack",
            "model.penalty",
            "optim.critic.lr",
            "optim.generator.lr",
        )
        | cite("arXiv:1907.00503, section 5", "train.batch", "train.examples"),
    ),
    "tiny": Recipe(
        model=CTGAN.Config(latent=16, generator_width=(32,), critic_width=(32,), pack=4),
        data=Table(path="wine"),
        optim={"critic": ADAM, "generator": ADAM},
        ema=Averaging(half_life=80),
        train=Train(examples=1_600, batch=40),
        evaluate=Evaluate(samples=64, metrics=("quality",)),
        about="seconds on a CPU, for tests",
    ),
}
