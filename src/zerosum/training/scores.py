"""Scores taken while training, which rank the checkpoints of one run.

Left alone they are distances on raw rows (pixels, points, columns), cheap enough for every run; a
recipe may ask for an extractor's features and for any metric. For scores to publish see
`zerosum.pipelines.evaluate`, which keeps the whole protocol.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from zerosum.core.draw import check_finite, draw, given_inputs
from zerosum.core.game import Game
from zerosum.core.recipe import Evaluate
from zerosum.data.fields import size_of
from zerosum.data.source import Split
from zerosum.errors import UserError
from zerosum.metrics.judge import Judge, K, Taken, part_of
from zerosum.metrics.registry import known_metrics, parse_metrics
from zerosum.metrics.sets import Embedded, Sets
from zerosum.modalities.modality import Modality
from zerosum.training.asking import asked

FEWEST = 2 * (K + 1)
"""Real examples whose halves have the neighbours that precision and recall ask for."""


@dataclass(frozen=True)
class RunJudge:
    """Real samples to compare with, and how far two halves of them are apart.

    Attributes:
        judge: Takes the scores.
        asked: What the recipe asks for.
        metrics: Names of the metrics; none for the usual three.
        real: The real samples.
        held_out: Real ones that are not trained on; None where none are kept aside.
        inputs: For games that map, what is mapped.
        truth: And the true answers.
        reference: Scores of one half of the real samples against the other.
    """

    judge: Judge
    asked: Evaluate
    metrics: tuple[str, ...]
    real: Embedded
    held_out: Embedded | None
    inputs: Mapping[str, Tensor]
    truth: Embedded | None
    reference: Mapping[str, float]

    @classmethod
    def of(
        cls, split: Split, modality: Modality, game: Game, asked: Evaluate, title: str
    ) -> RunJudge | None:
        """A judge on at most `asked.samples` real ones; None where raw scores cost too much, or
        where there are too few to compare with or to map.

        Args:
            split: The data.
            modality: How they are judged.
            game: The game, for the inputs that it maps.
            asked: What the recipe asks for.
            title: What the data are called.

        Raises:
            UserError: An unknown metric or extractor, or a metric that cannot be taken here.
        """
        examples = split.train.some(asked.samples)
        parts = (split.train, split.heldout)
        inputs, answers = given_inputs(game, *parts, asked.samples, repeat=False)
        fewest = min(size_of(some) for some in (examples, inputs) if some)
        if fewest < FEWEST and not asked.metrics:
            return None
        features = (
            modality.features(asked.features, examples, title)
            if asked.features
            else modality.raw_features(examples)
        )
        if features is None:
            return None
        known = known_metrics(modality.own_metrics)
        names = tuple(parse_metrics(",".join(asked.metrics), known)) if asked.metrics else ()
        judge = Judge(features, known, split.codec.decode)
        real = judge.embed(examples)
        truth = judge.embed(answers) if answers else None
        fresh = None
        if split.heldout is not None and len(split.heldout):
            fresh = judge.embed(split.heldout.some(asked.samples))
        made = cls(judge, asked, names, real, fresh, inputs, truth, {})
        for name in names:
            known[name].check(name, made._sets(real, real, game))
        half = len(real.features) // 2
        try:
            apart = made._take(part_of(real, slice(half)), part_of(real, slice(half, None)))
        except UserError as error:
            raise UserError(
                f"{title} gives {len(real.features)} examples to score against (held out: "
                f"{split.heldout_note}), and evaluate.metrics={','.join(names)} cannot be taken "
                f"on two halves of them ({error}): give more data, or leave the metrics out"
            ) from error
        return replace(made, reference={t.name: t.score.value for t in apart})

    def row(self, game: Game, *, averaged: bool) -> dict:
        """One line of `scores.jsonl`: the scores with the protocol beside them.

        Args:
            game: With the weights to be scored.
            averaged: Whether these are averages.
        """
        seed = self.asked.seed
        count = size_of(self.inputs) if self.inputs else self.asked.samples
        samples = draw(game, count, seed, self.inputs)
        check_finite(samples, f"the generator, after {game.progress.seen:,} examples,")
        fake = self.judge.embed(samples)
        found = self._take(self.real, fake, game)
        count = len(self.real.features)
        return {
            "scores": {taken.name: taken.score.value for taken in found},
            "intervals": {t.name: t.score.interval for t in found if t.score.interval},
            "better": {taken.name: taken.better for taken in found},
            "reference": {
                t.name: self.reference[t.name] for t in found if t.name in self.reference
            },
            "reference_note": f"two halves of the real, {count // 2:,} each",
            "protocol": {
                "features": self.judge.features.name,
                "real": f"{count:,} of the training part",
                "fake": len(fake.features),
                "seed": seed,
                "averaged_weights": averaged,
            },
        }

    def _take(self, real: Embedded, fake: Embedded, game: Game | None = None) -> list[Taken]:
        """The scores of a game, or of two sets of real samples, which have fewer."""
        if not self.metrics:
            return self.judge.usual(real, fake)
        if game is None:
            names = [name for name in self.metrics if self._of_sets(name)]
        else:
            names = list(self.metrics)
        sets = self._sets(real, fake, game)
        return [taken for name in names for taken in self.judge.take(name, sets)]

    def _sets(self, real: Embedded, fake: Embedded, game: Game | None) -> Sets:
        seed, held_out = self.asked.seed, self.held_out
        if game is None:
            return Sets(real, fake, None, seed)
        fresh = None if held_out is None else held_out.examples
        said = asked(game, fake.examples, fresh, seed)
        return Sets(real, fake, held_out, seed, self.truth, asked=said)

    def _of_sets(self, name: str) -> bool:
        """Whether a metric compares two sets of samples, whoever made them."""
        metric = self.judge.metrics[name]
        return metric.ceiling and not metric.paired


def closing(rows: Sequence[Mapping], patience: int) -> Mapping:
    """The line of `scores.jsonl` that the end of a run has: of a run that ended for want of better
    scores the best one, else the last.

    Args:
        rows: The lines, at least one.
        patience: The recipe's `evaluate.patience`.
    """
    waited = since_best(rows) if patience else 0
    return rows[-1 - waited] if 0 < patience <= waited else rows[-1]


def is_best(rows: Sequence[Mapping]) -> bool:
    """Whether the last of some lines of `scores.jsonl` has the best first score of all."""
    return since_best(rows) == 0


def since_best(rows: Sequence[Mapping]) -> int:
    """How many lines of `scores.jsonl` came after the newest of those with the best first score;
    0 where there are none at all."""
    if not rows:
        return 0
    name = next(iter(rows[-1]["scores"]))
    values = [row["scores"][name] for row in rows if name in row["scores"]]
    best = max(values) if rows[-1].get("better", {}).get(name) == "higher" else min(values)
    return values[::-1].index(best)
