"""GAIN: a generator that fills the gaps of a table, and a critic that looks for what was filled.

Yoon, Jordon and van der Schaar 2018, "GAIN: Missing Data Imputation using Generative Adversarial
Nets", arXiv:1806.02920. The generator sees a row, noise where cells are missing, and which ones
are (section 3.2); it writes the missing ones. The critic sees the filled row and a hint that says
of most cells whether they were there (section 3.3), and is asked of the others (eq. 8 and 9). The
generator's loss adds alpha times the error on cells that are known (section 4.2).

Deviations: beside the cells that the data lack, others are hidden anew at each visit
(`data.hidden`), so that a table without gaps can be learned from too, and known cells are
restored without being seen, not only copied. Each cell is told with a chance, where the paper
leaves one cell of a row untold. A category is a softmax, where the paper has a sigmoid for each;
a number is a tanh of its distance from the mean, in four standard deviations. Networks have
leaky ReLUs. Samples come from averaged weights and hold hard categories.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from pydantic import Field as Setting
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid, one_hot

from zerosum.config import Count, Fraction, Weight
from zerosum.core.game import Batch, Game, Terms, Turn, input_of
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.data.fields import Field
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.modalities.tables import RowField, TableGaps
from zerosum.nets.mlp import mlp


class GAIN(Game):
    class Config(GameConfig):
        needs = ("row", "given")

        row: RowField = RowField(shape=(0,), spans=())
        """What an encoded row is; filled in from the data."""
        width: tuple[Count, ...] = (256, 256)
        """Hidden units of the generator's layers."""
        critic_width: tuple[Count, ...] = (128, 128)
        """Hidden units of the critic's layers."""
        dropout: Fraction = 0.2
        """Share of the generator's hidden units that are dropped."""
        hint: float = Setting(default=0.9, ge=0, lt=1)
        """Chance with which the critic is told of a cell whether it was there."""
        noise: Weight = 0.01
        """Greatest value of the uniform noise in missing cells."""
        alpha: Weight = 100.0
        """Weight of the error on known cells."""
        numbers: Weight = 8.0
        """Weight of a number's squared error beside the cross-entropy of a category. At 8 it is
        that of a normal law whose standard deviation is the column's: 1 stands for four."""

        def matched(self, spec: DataSpec) -> GAIN.Config:
            row = spec.fields.get("row")
            if not isinstance(row, RowField) or "given" not in spec.fields:
                raise UserError(
                    f"gain fills gaps of tables, but the data hold {', '.join(spec.fields)}: "
                    "name a .csv file with --data, or choose another model"
                )
            return self.model_copy(update={"row": row})

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.row = config.row
        self.hint, self.noise = config.hint, config.noise
        self.alpha, self.numbers = config.alpha, config.numbers
        self.scalars = [span.part == "scalar" for span in config.row.spans]
        self.widths = [span.width for span in config.row.spans]
        names = list(dict.fromkeys(span.column for span in config.row.spans))
        column = [names.index(span.column) for span in config.row.spans for _ in range(span.width)]
        last = [span.stop - 1 for span in config.row.spans if span.part != "scalar"]
        self.register_buffer("column", torch.tensor(column).long(), persistent=False)
        self.register_buffer("last", torch.tensor(last).long(), persistent=False)
        self.column: Tensor
        """Of which column each position is (width,)."""
        self.last: Tensor
        """The position that says that a column's cell is missing (columns,)."""
        width, cells = len(column), len(names)
        self.generator = mlp([width, *config.width, width], dropout=config.dropout)
        self.critic = mlp([width + cells, *config.critic_width, cells])

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def turns(self) -> list[Turn]:
        return [Turn("critic", self.critic_loss), Turn("generator", self.generator_loss)]

    def inputs(self) -> Mapping[str, Field]:
        return {"given": self.row}

    def critics(self) -> Mapping[str, Callable[[Batch], Tensor]]:
        def judged(batch: Batch) -> Tensor:
            """The mean logit (B,) of a row's cells, of none of which anything is told."""
            row = batch["row"]
            return self.judge(row, row.new_full((len(row), len(self.last)), 0.5)).mean(1)

        return {"critic": judged}

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        """Given rows (n, width) with their missing cells filled, as `row`."""
        given = input_of(condition, n, "gain fills gaps: give it rows as `given`", "given")
        source = self.device if rng is None else rng.device
        noise = torch.rand(given.shape, generator=rng, device=source).to(given)
        return {"row": self.filled(given, self.heads(self.told(given, noise))), "given": given}

    def there(self, row: Tensor) -> Tensor:
        """Which cells (B, columns) of rows (B, width) are known, bool: the mask of the paper."""
        return row[:, self.last] < 0.5

    def told(self, given: Tensor, noise: Tensor) -> Tensor:
        """What the generator says (B, width) of rows before its heads.

        Args:
            given: Rows, of which missing cells are zero but for the position that says so.
            noise: Uniform numbers (B, width) for those cells, from 0 to 1.
        """
        missing = ~self.there(given)[:, self.column]
        missing[:, self.last] = False
        return self.generator(given + self.noise * noise * missing)

    def heads(self, told: Tensor) -> Tensor:
        """Rows (B, width) without missing cells: hard categories outside training."""
        made = []
        for piece, scalar in zip(told.split(self.widths, 1), self.scalars):
            if scalar:
                made.append(piece.tanh())
                continue
            kinds = piece[:, :-1]
            share = kinds.softmax(1)
            if not self.training:
                share = one_hot(kinds.argmax(1), kinds.shape[1]).to(piece)
            made.append(torch.cat([share, torch.zeros_like(piece[:, :1])], 1))
        return torch.cat(made, 1)

    def filled(self, given: Tensor, made: Tensor) -> Tensor:
        """Given rows (B, width) with what was made in their missing cells."""
        return torch.where(self.there(given)[:, self.column], given, made)

    def judge(self, row: Tensor, hint: Tensor) -> Tensor:
        """Logits (B, columns) that a cell of filled rows (B, width) was there.

        Args:
            row: The rows.
            hint: (B, columns): 1 for a cell that was there, 0 for one that was not, 0.5 for one
                of which nothing is told (section 3.3).
        """
        return self.critic(torch.cat([row, hint], 1))

    def trial(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """What the generator says (B, width), and the rows that follow, in training."""
        told = self.told(given, torch.rand(given.shape, device=given.device))
        return told, self.filled(given, self.heads(told))

    def hinted(self, there: Tensor) -> tuple[Tensor, Tensor]:
        """A hint (B, columns), and of which cells it tells nothing: 1, else 0."""
        open_ = (torch.rand(there.shape, device=there.device) >= self.hint).float()
        return torch.lerp(there.float(), torch.full_like(open_, 0.5), open_), open_

    def critic_loss(self, batch: Batch) -> Terms:
        """Cross-entropy of cells of which the hint tells nothing (eq. 8), mean over them."""
        there = self.there(batch["given"])
        with torch.no_grad():
            row = self.trial(batch["given"])[1]
        hint, open_ = self.hinted(there)
        logits = self.judge(row, hint)
        self.report(real_logits=logits[there], fake_logits=logits[~there])
        wrong = binary_cross_entropy_with_logits(logits, there.float(), reduction="none")
        return {"adversarial": _mean(wrong, open_)}

    def generator_loss(self, batch: Batch) -> Terms:
        """Eq. 9 and the error on known cells, means over the cells that each is of."""
        there = self.there(batch["given"])
        told, row = self.trial(batch["given"])
        hint, open_ = self.hinted(there)
        logits = self.judge(row, hint)
        terms = {"adversarial": _mean(-logsigmoid(logits), open_ * ~there)}
        if self.alpha:
            known = self.there(batch["row"]).float()
            terms["reconstruction"] = self.alpha * _mean(self.error(told, batch["row"]), known)
        return terms

    def error(self, told: Tensor, row: Tensor) -> Tensor:
        """How wrong each cell (B, columns) is: a squared error of numbers, else cross-entropy.

        Args:
            told: What the generator says (B, width).
            row: The true rows.
        """
        found, number = [], None
        for piece, truth, scalar in zip(
            told.split(self.widths, 1), row.split(self.widths, 1), self.scalars
        ):
            if scalar:
                number = self.numbers * (piece.tanh() - truth).square()[:, 0]
            else:
                kind = -(truth[:, :-1] * piece[:, :-1].log_softmax(1)).sum(1)
                found.append(kind if number is None else kind + number)
                number = None
        return torch.stack(found, 1)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    """The mean of values where weights are 1; 0 where none is."""
    return (values * weights).sum() / weights.sum().clamp(min=1)


QUICK = Optim(lr=Cosine(start=1e-3, end=1e-5), betas=(0.9, 0.999), weight_decay=1e-5)
ADAM = Optim(lr=1e-3, betas=(0.9, 0.999))

SEARCH = {"model.alpha": Factor(0.1, 10)}

PRESETS = {
    "adult": Recipe(
        model=GAIN.Config(),
        data=TableGaps(path="adult"),
        optim={"critic": QUICK, "generator": QUICK},
        ema=Averaging(half_life=24_000),
        train=Train(
            examples=500_000,
            batch=250,
            checkpoint_every=250_000,
            sheet_every=250_000,
            log_every=10_000,
        ),
        evaluate=Evaluate(samples=10_000, metrics=("imputation",)),
        about="a falling learning rate, averaging; one minute on one core",
    ),
    "tiny": Recipe(
        model=GAIN.Config(width=(32,), critic_width=(32,)),
        data=TableGaps(path="wine"),
        optim={"critic": ADAM, "generator": ADAM},
        ema=Averaging(half_life=80),
        train=Train(examples=1_600, batch=40),
        evaluate=Evaluate(samples=64, metrics=("imputation",)),
        about="seconds on a CPU, for tests",
    ),
}
