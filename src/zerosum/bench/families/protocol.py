"""How a row of the families' table is measured: the same for GANs, baselines and no model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from zerosum.core.game import Game
from zerosum.core.likelihood import has_likelihood, likelihood
from zerosum.data.source import Source, Split
from zerosum.errors import UserError, nearest
from zerosum.metrics import radial_spectrum
from zerosum.metrics.features import Features
from zerosum.metrics.judge import Judge
from zerosum.metrics.sets import Embedded
from zerosum.modalities.images import MODALITY, Images
from zerosum.modalities.images.extractors.classifiers import SmallClassifier

SEED = 1
"""Seed of the samples that are scored."""
NATS = "held-out nats"
"""Column of the mean log probability of held-out images, per pixel."""


@dataclass(frozen=True)
class Protocol:
    """One data set, and what samples of it are compared with.

    Attributes:
        preset: Name of the preset that each system must have.
        data: Name of the data set.
        classifier: Which of the shipped classifiers tells classes and gives features.
        count: Real images that are compared with, and samples drawn; 0 for all real ones.
        seconds: Usual budget of processor time of a training.
        levels: Values that a pixel of the data can have.
    """

    preset: str
    data: str
    classifier: str
    count: int
    seconds: float
    levels: int = 256

    @cached_property
    def real(self) -> Tensor:
        """Real images (N, C, H, W) in [-1, 1]: a fixed random choice of all that are there."""
        source = Images(path=self.data, holdout=0).open().train
        assert isinstance(source, Source)
        if self.count:
            return source.some(self.count)["image"]
        return source.finished(range(len(source)))["image"]

    @cached_property
    def split(self) -> Split:
        """What systems learn from, and what is kept aside, as their presets have it."""
        return Images(path=self.data).open()

    def nats(self, game: Game) -> float | None:
        """Nats per pixel of the held-out images under a game; None where it does not say."""
        held = self.split.heldout
        if held is None or not has_likelihood(game):
            return None
        return float(likelihood(game, held.some(self.count or len(held)), SEED).mean())

    @cached_property
    def network(self) -> SmallClassifier:
        return SmallClassifier(self.classifier)

    @cached_property
    def judges(self) -> tuple[Judge, Judge]:
        """Who compares pixels, and who compares the classifier's features."""
        network = self.network
        seen = Features(f"cnn-{self.classifier}", lambda batch: network.outputs(batch["image"]))
        return Judge(MODALITY.row_features(), {}), Judge(seen, {})

    @cached_property
    def embedded(self) -> tuple[Embedded, Embedded]:
        """The real images as each judge sees them."""
        return self._embed(self.real)

    def _embed(self, images: Tensor) -> tuple[Embedded, Embedded]:
        pixels, features = self.judges
        return pixels.embed({"image": images}), features.embed({"image": images})

    def row(self, fake: Tensor, real: Tensor | None = None) -> dict[str, float]:
        """All scores of some samples.

        Args:
            fake: Images (M, C, H, W) in [-1, 1].
            real: Images to compare with; all real ones when None.
        """
        pixels, features = self.judges
        ours, theirs = self._embed(fake), self.embedded if real is None else self._embed(real)
        distance, precision, recall = pixels.usual(theirs[0], ours[0])
        logits = ours[1].logits
        assert logits is not None
        classes = logits.argmax(1)
        shares = torch.bincount(classes, minlength=self.network.classes) / len(classes)
        return {
            "FD pixels": float(distance.score),
            f"FD cnn-{self.classifier}": float(features.distance(theirs[1], ours[1]).score),
            "precision": float(precision.score),
            "recall": float(recall.score),
            "rarest class %": 100 * shares.min().item(),
            "commonest class %": 100 * shares.max().item(),
            "fine detail": detail(self.real if real is None else real, fake),
        }

    def rivals(self) -> dict[str, dict[str, float | None]]:
        """Rows that need no training: two halves of the real images, and two simple models."""
        real, n = self.real, len(self.real)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
        halves = real[order[: n // 2]], real[order[n // 2 :]]
        rng = torch.Generator().manual_seed(0)
        flat = real.flatten(1)
        width = flat.shape[1]
        factor = torch.linalg.cholesky(flat.T.cov().double() + 1e-6 * torch.eye(width)).float()
        gaussian = flat.mean(0) + torch.randn(n, width, generator=rng) @ factor.T
        picked = flat[torch.randint(n, (n,), generator=rng)]
        noisy = picked + 0.2 * torch.randn(n, width, generator=rng)
        rows = {
            f"real halves ({n // 2:,} each)": self.row(halves[1], halves[0]),
            "one Gaussian (no network)": self.row(gaussian.clamp(-1, 1).view_as(real)),
            "the data + noise 0.2 (copies)": self.row(noisy.clamp(-1, 1).view_as(real)),
        }
        told = {"one Gaussian (no network)": self._gaussian_nats()}
        return {name: {**row, NATS: told.get(name)} for name, row in rows.items()}

    def _gaussian_nats(self) -> float | None:
        """Nats per pixel of the held-out images under the normal law of the training images.

        Both with uniform noise of one level's width, whose share of the expectation is exact.
        """
        learned, held = self.split.train, self.split.heldout
        if held is None:
            return None
        assert isinstance(learned, Source)
        seen, unseen = (
            source.some(self.count or len(source))["image"].flatten(1).double()
            for source in (learned, held)
        )
        width = 2 / (self.levels - 1)
        noise = width**2 / 12 * torch.eye(seen.shape[1], dtype=torch.float64)
        law = torch.distributions.MultivariateNormal(seen.mean(0), seen.T.cov() + noise)
        spread = torch.trace(torch.linalg.solve(law.covariance_matrix, noise)) / 2
        return float((law.log_prob(unseen).mean() - spread) / seen.shape[1]) + math.log(width)


def detail(real: Tensor, fake: Tensor) -> float:
    """Power of the samples in the highest quarter of frequencies, real ones having 1.

    Below 1 is blur, above 1 is noise.
    """
    ours, theirs = radial_spectrum(fake), radial_spectrum(real)
    fine = ours.frequency > 0.375
    return float(ours.power[fine].mean() / theirs.power[fine].mean())


PROTOCOLS: Mapping[str, Protocol] = {
    "digits": Protocol("digits", "digits", "digits", 0, 45, levels=17),
    "fashion": Protocol("fashion", "fashion-mnist", "fashion-mnist", 5_000, 600),
}


def protocol(name: str) -> Protocol:
    """A protocol by name.

    Raises:
        UserError: There is none of this name.
    """
    if name not in PROTOCOLS:
        raise UserError(f"there is no set '{name}' in this bench: {nearest(name, PROTOCOLS)}")
    return PROTOCOLS[name]
