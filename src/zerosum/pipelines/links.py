"""Which pairs of nodes are likely edges: proposals, given pairs, and a test on held-out edges."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from zerosum.core.draw import check_finite
from zerosum.core.game import SampleOptions
from zerosum.core.links import Linking, link_scores
from zerosum.data.source import Source
from zerosum.errors import UserError
from zerosum.files import atomic
from zerosum.metrics.detection import Detected, auroc, average_precision
from zerosum.metrics.score import Score
from zerosum.modalities.graphs import GraphCodec
from zerosum.modalities.graphs.predictors import PREDICTORS, others
from zerosum.modalities.graphs.reading import pairs_of
from zerosum.pipelines.generate import Generator

AGAINST = 10_000
"""Pairs that are no edges, at most, that held-out edges are told from."""
SEED = 0
"""Of their choice."""


@dataclass(frozen=True)
class Tested:
    """How well held-out edges are told from pairs that are none.

    Attributes:
        scores: Area under the ROC curve and average precision, by method: the model first, then
            methods that learn nothing.
        held: Held-out edges.
        against: Pairs that are none.
    """

    scores: Mapping[str, Mapping[str, Score]]
    held: int
    against: int


class LinkPredictor:
    """Scores pairs of nodes with a trained run.

    Attributes:
        generator: The run or export.
        options: Settings of scoring.
    """

    def __init__(self, generator: Generator, options: Mapping[str, Any] | None = None) -> None:
        """Take a loaded generator.

        Raises:
            UserError: It scores no pairs of nodes.
        """
        codec = generator.codec
        if not isinstance(generator.game, Linking) or not isinstance(codec, GraphCodec):
            raise UserError(
                f"{generator.name} is a {generator.recipe.system}, which scores no pairs of "
                "nodes: train graphgan on a graph"
            )
        self.generator, self.codec = generator, codec
        self.options: SampleOptions = generator.options(options or {})

    @classmethod
    def load(cls, path: str | Path, *, device: str = "auto", **settings: Any) -> Self:
        """Load a run's or an export's folder.

        Raises:
            UserError: The folder holds neither, or a model that scores no pairs.
        """
        return cls(Generator.load(path, device=device), **settings)

    def scores(self, pairs: Tensor) -> Tensor:
        """How likely pairs (N, 2) of nodes, by number, are edges, (N,)."""
        found = link_scores(self.generator.game, pairs, self.options)
        check_finite({"scores": found}, self.generator.name)
        return found

    def proposed(self, count: int) -> tuple[Tensor, Tensor]:
        """The likeliest pairs (count, 2) that are no edges of the training part, with their scores
        (count,), the likeliest first; fewer where there are fewer."""
        size = len(self.codec.names)
        pairs = torch.triu_indices(size, size, 1).T
        pairs = pairs[~self.codec.known({"edge": pairs})]
        scores = self.scores(pairs)
        best = scores.sort(descending=True, stable=True).indices[:count]
        return pairs[best], scores[best]

    def test(self) -> Tested:
        """The held-out edges of the run, against as many other pairs as there are, up to 10,000.

        Raises:
            UserError: No edges were kept aside, or the data are gone.
        """
        pairs, truth = self.trial()
        found = self.ranked(pairs)
        held = int(truth.sum())
        return Tested({n: _judged(s, truth) for n, s in found.items()}, held, len(truth) - held)

    def trial(self) -> tuple[np.ndarray, np.ndarray]:
        """Pairs (N, 2) of the test, and which of them are held-out edges (N,).

        Raises:
            UserError: As `test`.
        """
        split = self.generator.open()
        if split.heldout is None:
            raise UserError(
                f"{self.generator.name} kept no edges aside: train with data.holdout=0.1, or name "
                "pairs with --pairs"
            )
        held = self._edges(split.heldout)
        known = np.concatenate([self.codec.edges.numpy(), held])
        rng = np.random.default_rng(SEED)
        none = others(len(self.codec.names), known, AGAINST, rng)
        pairs = np.concatenate([held, none])
        return pairs, np.arange(len(pairs)) < len(held)

    def ranked(self, pairs: np.ndarray) -> dict[str, np.ndarray]:
        """Scores (N,) of pairs (N, 2) by the model, and by each method that learns nothing."""
        learned, size = self.codec.edges.numpy(), len(self.codec.names)
        own = {self.generator.recipe.system: self.scores(torch.from_numpy(pairs)).numpy()}
        return own | {name: how(size, learned, pairs) for name, how in PREDICTORS.items()}

    def _edges(self, source: Source) -> np.ndarray:
        return source.finished(range(len(source)))["edge"].numpy()

    def read(self, path: Path) -> Tensor:
        """Pairs (N, 2) of nodes, by number, of a file with two names a line.

        Raises:
            UserError: It cannot be read, or names a node that is not there.
        """
        rows = pairs_of(path)
        if not rows:
            raise UserError(f"{path} holds no pairs: write two names of nodes a line")
        return self.codec.encode(rows)["edge"]

    def write(self, pairs: Tensor, scores: Tensor, path: Path) -> None:
        """A table of pairs: source, target, score, and whether it is an edge that was learned."""
        names, known = self.codec.decode({"edge": pairs}), self.codec.known({"edge": pairs})
        with atomic(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(["source", "target", "score", "known"])
            for (a, b), score, there in zip(names, scores.tolist(), known.tolist()):
                writer.writerow([a, b, f"{score:.6g}", int(there)])


def _judged(scores: np.ndarray, truth: np.ndarray) -> dict[str, Score]:
    found = Detected.of(torch.from_numpy(scores), torch.from_numpy(truth), torch.zeros(1))
    return {"auc": found.taken(auroc), "ap": found.taken(average_precision)}
