"""Improved techniques: feature matching, minibatch discrimination, and learning from few labels.

Salimans, Goodfellow, Zaremba, Cheung, Radford and Chen 2016, "Improved Techniques for Training
GANs", arXiv:1606.03498. Section 5: the discriminator is a classifier of K classes; how surely an
image belongs to any of them, Z / (Z + 1) with Z the sum of exp of its logits, is how real it is.
It learns the classes from the few labelled images and reality from all. Section 3.1: the
generator matches the mean of the discriminator's features (`features`, the best classifier).
Section 3.2: or the discriminator compares the samples of a batch and the generator plays the game
of 2014 (`minibatch`, the better images).

Deviations: labelled are those images whose pixels hash below a share, not a fixed count per
class: a game sees batches, not the index of an image. So the count is right on average, equal
images are treated alike, and a mirrored copy has its own draw (leave `data.flip` off). Those met
are kept, and each step has a batch of them, as in the paper. Historical averaging (3.3), label
smoothing (3.4) and virtual batch normalisation (3.5) are remedies, which preset `cifar10` has as
table 3 has them; weight normalisation and noise between the layers are left out; strided
convolutions of our own with dropout before the features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zerosum.config import Count, Fraction, Weight
from zerosum.core.game import Batch, LatentGame, Progress, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.remedies import LabelSmoothing, VirtualBatchNorm
from zerosum.core.search import Factor
from zerosum.layers.minibatch import MinibatchDiscrimination
from zerosum.losses.matching import mean_matching
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images import Images, LabelledImageConfig
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.plain import Generator, Trunk

PRIME = 1_000_003
MOST = 10_000
"""Labelled images that are kept to be shown again."""


class Shown(nn.Module):
    """The labelled images that were met so far, each once, as extra state of the game."""

    def __init__(self) -> None:
        super().__init__()
        self.images = torch.empty(0)
        self.labels = torch.empty(0, dtype=torch.int64)
        self.marks: set[int] = set()

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, images: Tensor, labels: Tensor, marks: Tensor) -> None:
        """Keep those of some images (B, C, H, W) whose marks (B,) are new."""
        for image, label, mark in zip(images, labels, marks.tolist()):
            if mark in self.marks or len(self) == MOST:
                continue
            self.marks.add(mark)
            before = self.images if len(self) else images[:0]
            self.images = torch.cat([before.to(images), image[None]])
            self.labels = torch.cat([self.labels.to(labels), label[None]])

    def draw(self, n: int) -> tuple[Tensor, Tensor]:
        """Images (n, C, H, W) and their labels (n,), drawn with repeats."""
        rows = torch.randint(len(self), (n,)).to(self.labels.device)
        return self.images[rows], self.labels[rows]

    def get_extra_state(self) -> dict[str, Tensor]:
        marks = torch.tensor(sorted(self.marks), dtype=torch.int64)
        return {"images": self.images.cpu(), "labels": self.labels.cpu(), "marks": marks}

    def set_extra_state(self, state: dict[str, Tensor]) -> None:
        self.images, self.labels = state["images"], state["labels"]
        self.marks = set(state["marks"].tolist())


class ImprovedGAN(LatentGame):
    class Config(LabelledImageConfig):
        latent: Count = 100
        """Numbers in the latent code."""
        width: Count = 64
        """Feature maps after the first halving; doubled at each level below."""
        hidden: Count = 128
        """Features that the classes are told from and that the generator matches."""
        labelled: float = Field(default=0.01, ge=0, le=1)
        """Share of the images whose labels are used, chosen by a hash of their pixels."""
        technique: Literal["features", "minibatch"] = "features"
        """What helps the generator: feature matching, or minibatch discrimination."""
        kernels: Count = 32
        """Numbers that minibatch discrimination adds to the features."""
        dimension: Count = 8
        """Numbers that are compared for each of them."""
        dropout: Fraction = 0.3
        """Share of the trunk's outputs dropped in training."""
        supervised: Weight = 1.0
        """Weight of the labelled images' cross entropy."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.latent_size, self.share = config.latent, config.labelled
        self.matches, self.supervised = config.technique == "features", config.supervised
        self.objective = OBJECTIVES["nonsaturating"]
        shape = (config.width, config.channels, config.size)
        self.generator = Generator(config.latent, *shape, norm=nn.BatchNorm2d)
        trunk = Trunk(*shape)
        self.trunk = nn.Sequential(
            trunk,
            nn.Dropout(config.dropout),
            nn.Linear(trunk.features, config.hidden),
            nn.LeakyReLU(0.2),
        )
        self.shown = Shown()
        self._met: list[tuple[Tensor, Tensor, Tensor]] = []
        # Features, or features and how near they are to the others of the batch, to classes.
        self.head = (
            nn.Sequential(nn.Linear(config.hidden, config.classes))
            if self.matches
            else nn.Sequential(
                MinibatchDiscrimination(config.hidden, config.kernels, config.dimension),
                nn.Linear(config.hidden + config.kernels, config.classes),
            )
        )

    def players(self) -> dict[str, list[nn.Module]]:
        return {"discriminator": [self.trunk, self.head], "generator": [self.generator]}

    def generators(self) -> list[nn.Module]:
        """The classifier too, so that it is averaged and exported with the generator."""
        return [self.generator, self.trunk, self.head]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.classify(batch["image"]).logsumexp(1)}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.normal(n, self.latent_size, rng=rng)

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        return {"image": self.generator(z)}

    def classify(self, images: Tensor) -> Tensor:
        """Logits (B, K) of images (B, C, H, W). Their logsumexp is the logit of being real.

        Under minibatch discrimination they depend a little on the other images of the batch.
        """
        return self.head(self.trunk(images))

    def labelled(self, images: Tensor) -> Tensor:
        """Which of the images (B, C, H, W) may show their labels, (B,) of bools, always the same:
        those whose mark is in the lowest share."""
        return self.marks(images) < self.share * PRIME

    def marks(self, images: Tensor) -> Tensor:
        """A hash of each image's 8-bit pixels, (B,) from 0 to PRIME - 1."""
        pixels = ((images.flatten(1) + 1) * 127.5).round().long()
        place = torch.arange(1, pixels.shape[1] + 1, device=images.device)
        weights = (place * 7919 + place.square() * 104_729) % PRIME
        mixed = (pixels + 1) * weights % PRIME
        # Squared once more, so that images that differ little do not get hashes near each other.
        mark = mixed.sum(1) % PRIME
        return (mark * mark % PRIME * 31 + mark * 17) % PRIME

    def discriminator_loss(self, batch: Batch) -> Terms:
        real, label = batch["image"], batch["label"]
        with torch.no_grad():
            fake = self.sample(len(real))["image"]
        real_logits = self.classify(real).logsumexp(1)
        fake_logits = self.classify(fake).logsumexp(1)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        marks = self.marks(real)
        known = marks < self.share * PRIME
        self._met.append((real[known], label[known], marks[known]))
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "supervised": self.supervised * self._error(real[known], label[known], len(real)),
        }

    def _error(self, images: Tensor, labels: Tensor, n: int) -> Tensor:
        """Cross entropy of a whole batch of labelled images: of those met in earlier steps, or,
        while there are none, of those of this batch."""
        if len(self.shown):
            drawn, classes = self.shown.draw(n)
            images, labels = drawn.to(images), classes.to(labels)
        if not len(labels):
            return torch.zeros((), device=images.device)
        return cross_entropy(self.classify(images), labels)

    def after_step(self, progress: Progress) -> None:
        for met in self._met:
            self.shown.take(*met)
        self._met.clear()

    def generator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        fake = self.sample(len(real))["image"]
        if self.matches:
            return {"features": mean_matching(self.trunk(real), self.trunk(fake))}
        return {"adversarial": self.objective.generator(self.classify(fake).logsumexp(1))}


ADAM = Optim(lr=3e-4, betas=(0.5, 0.999))
BOTH = {"discriminator": ADAM, "generator": ADAM}

SEARCH = {"model.supervised": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        ImprovedGAN.Config(
            latent=64, width=32, labelled=0.06, technique="minibatch", kernels=16, dimension=5
        ),
        BOTH,
        examples=120_000,
        about="the better images; about nine labelled per class",
    ),
    "classifier": on_digits(
        ImprovedGAN.Config(latent=64, width=32, labelled=0.06),
        BOTH,
        examples=120_000,
        about="as digits, with feature matching: the better classifier",
    ),
    "mnist": Recipe(
        model=ImprovedGAN.Config(labelled=100 / 60_000, hidden=256),
        data=Images(path="mnist"),
        optim=BOTH,
        ema=Averaging(half_life=20_000),
        train=Train(examples=3_000_000, batch=100, channels_last=True),
        evaluate=Evaluate(every=500_000, samples=5_000),
        about="about 100 labelled images",
        sources=cite("arXiv:1606.03498, section 6.1", "model.labelled"),
    ),
    "cifar10": Recipe(
        model=ImprovedGAN.Config(technique="minibatch", labelled=0.08, hidden=256),
        data=Images(path="cifar10"),
        optim=BOTH,
        remedies=(VirtualBatchNorm(reference=100), LabelSmoothing(real=0.9)),
        ema=Averaging(half_life=20_000),
        train=Train(examples=10_000_000, batch=100, channels_last=True),
        evaluate=Evaluate(every=1_000_000, samples=5_000),
        about="all that table 3 calls 'our methods'; about 4,000 labelled images; not measured",
        sources=cite("arXiv:1606.03498, table 3", "model.technique", "remedies"),
    ),
    "tiny": tiny(
        ImprovedGAN.Config(
            latent=8,
            width=8,
            hidden=16,
            labelled=0.5,
            technique="minibatch",
            kernels=4,
            dimension=2,
        ),
        Images(path="digits"),
        BOTH,
    ),
}
