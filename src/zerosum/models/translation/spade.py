"""SPADE (GauGAN): photos painted from label maps, which modulate every normalisation.

Park, Liu, Wang and Zhu 2019, "Semantic image synthesis with spatially-adaptive normalization",
arXiv:1903.07291. Of a label map m, its photo y and, with the image encoder, a style z:

    eq. 1   a layer's maps, normalised, times gain(m) plus bias(m), place by place;
    sec. 3  the generator G(m, z) is made of residual blocks of these, and of no encoder of m;
            critics of patches at two scales tell (m, y) from (m, G(m)), by the hinge loss;
    app. A  the distance of the critics' layers (weight 10) and of a classifier's (10); with the
            encoder the Kullback-Leibler divergence of its z from N(0, 1) (0.05).

Section 4: spectral normalisation in both, Adam(0, 0.9), rates 1e-4 and 4e-4.

Deviations: the classifier is EfficientNet-Lite0 in place of VGG-19, with the same weights by
scale, and each layer's distance as a share of its size, which differs more than VGG's; without
its weights here, set model.perceptual=0. Smaller pictures begin at 4 pixels too, so with fewer
blocks. With `model.adversarial=0` the critics rest and `model.distance` weighs the L1 distance to
the photo, which is the plain network to compare with. The style is 0 numbers by default, as in
the authors' code: G then begins with the label map made small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zerosum.config import Count, Size, Weight, Whole
from zerosum.core.frozen import Frozen
from zerosum.core.game import Batch, Game, Terms, Turn, input_of
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Factor
from zerosum.data.fields import Field, Numbers
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.layers.spade import HIDDEN, Statistics
from zerosum.losses.matching import feature_matching
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.reconstruction import l1
from zerosum.modalities.images.fields import LabelMap
from zerosum.modalities.images.labelled import Labelled
from zerosum.modalities.images.perceptual import (
    NAME,
    SCALES,
    SHA256,
    PerceptualLayers,
    perceptual_loss,
)
from zerosum.modalities.images.sized import Sight
from zerosum.nets.multiscale import Layers, MultiScaleCritic, joined
from zerosum.nets.spade import ImageEncoder, SPADEGenerator


class Spade(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "image")

        classes: Whole = 0
        """Classes of the label maps; 0 takes the number from the data."""
        channels: Whole = 0
        """Channels of the photos; 0 takes the number from the data."""
        size: Size = (0, 0)
        """(height, width) of both in pixels; 0 takes it from the data."""
        width: Count = 64
        """Feature maps of the generator at full size; doubled at each halving, up to 16 times."""
        hidden: Count = HIDDEN
        """Feature maps within a normalisation."""
        halvings: Whole = 0
        """How often a label map is halved to begin; 0: down to 4 pixels, 6 times at most."""
        norm: Statistics = "batch"
        """Whose statistics are normalised by: the batch's, or each picture's own."""
        latent: Whole = 0
        """Numbers of a style, which an encoder reads off photos; 0 has none."""
        critic_width: Count = 64
        """Feature maps of the critics' first layer."""
        critic_halvings: Count = 3
        """How often a critic halves what it sees; 3 judges patches of 70 pixels."""
        scales: Count = 2
        """Critics, each on pictures of half the size of those before it."""
        objective: ObjectiveName = "hinge"
        """The adversarial loss."""
        adversarial: Weight = 1.0
        """Weight of the game for the generator; 0 plays none, and the critics rest."""
        matching: Weight = 10.0
        """Weight of the distance of the critics' layers."""
        perceptual: Weight = 10.0
        """Weight of the distance of a classifier's layers, whose weights must be here."""
        distance: Weight = 0.0
        """Weight of the L1 distance to the photo."""
        divergence: Weight = 0.05
        """Weight of the styles' divergence from N(0, 1)."""

        def matched(self, spec: DataSpec) -> Self:
            channels, *size = spec.shape("image")
            labels = spec.fields.get("input")
            if not isinstance(labels, LabelMap):
                raise UserError(
                    "spade paints from label maps, which these data have none of: read them with "
                    "data.kind=labelled, or translate pictures with pix2pix"
                )
            found = {"classes": labels.count, "channels": channels, "size": (size[0], size[1])}
            followed = self.following(found)
            step = 2**self.halvings
            if any(side % step for side in size):
                raise UserError(
                    f"model.halvings={self.halvings} needs sides that are multiples of {step}, "
                    f"not {size[0]}x{size[1]}: set data.size, or leave it out"
                )
            return followed

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.classes, self.latent_size = config.classes, config.latent
        self.objective = OBJECTIVES[config.objective]
        self.given = LabelMap(shape=config.size, count=config.classes)
        self.generator = SPADEGenerator(
            config.classes,
            config.channels,
            config.size,
            width=config.width,
            hidden=config.hidden,
            latent=config.latent,
            norm=config.norm,
            levels=config.halvings,
        )
        self.encoder = (
            ImageEncoder(
                config.channels, config.size, width=config.critic_width, latent=config.latent
            )
            if config.latent
            else None
        )
        self.discriminator = MultiScaleCritic(
            config.classes + config.channels,
            width=config.critic_width,
            halvings=config.critic_halvings,
            scales=config.scales,
            spectral=True,
        )
        self.weights = config
        self.perceptual = (
            Frozen(PerceptualLayers(), name=NAME, hash=SHA256) if config.perceptual else None
        )

    def players(self) -> dict[str, list[nn.Module]]:
        painters: list[nn.Module] = [self.generator]
        if self.encoder is not None:
            painters.append(self.encoder)
        return {"discriminator": [self.discriminator], "generator": painters}

    def turns(self) -> list[Turn]:
        move = Turn("generator", self.generator_loss)
        if not self.weights.adversarial:
            return [move]
        return [Turn("discriminator", self.discriminator_loss), move]

    def inputs(self) -> dict[str, Field]:
        return {"input": self.given}

    def conditions(self) -> dict[str, Field]:
        return {"style": Numbers(shape=(self.latent_size,))} if self.latent_size else {}

    def sight(self) -> Sight:
        """Statistics and the smallest maps see the whole picture."""
        return Sight(self.generator.step)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        how = "spade paints label maps: give them as input (n, H, W)"
        labels = input_of(condition, n, how)
        if not self.latent_size:
            return {"image": self.generator(self.split(labels)), "input": labels}
        style = condition.get("style")
        style = self.normal(n, self.latent_size, rng=rng) if style is None else style
        made = self.generator(self.split(labels), style)
        return {"image": made, "input": labels, "style": style}

    def split(self, labels: Tensor) -> Tensor:
        """Label maps (B, H, W) as one map for each class, (B, classes, H, W) of 0 and 1."""
        return one_hot(labels.long(), self.classes).permute(0, 3, 1, 2).float()

    def style_of(self, photos: Tensor) -> Tensor:
        """Styles (B, latent), the means, of photos (B, C, H, W) of the training's size.

        Raises:
            UserError: The model was trained without an encoder.
        """
        if self.encoder is None:
            raise UserError("this model takes no style: train with model.latent=256")
        return self.encoder(photos)[0]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": self.judge} if self.weights.adversarial else {}

    def judge(self, batch: Batch) -> Tensor:
        """Logits (B, n) of pairs of label map and photo, of all patches at all scales."""
        return joined(self._layers(batch))

    def discriminator_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake, _, _ = self._painted(batch)
        real_layers = self._layers(batch)
        fake_layers = self._layers({**batch, "image": fake})
        self.report(real_logits=joined(real_layers), fake_logits=joined(fake_layers))
        losses = [
            self.objective.critic(real[-1], made[-1])
            for real, made in zip(real_layers, fake_layers)
        ]
        return {"adversarial": torch.stack(losses).mean()}

    def generator_loss(self, batch: Batch) -> Terms:
        weights, truth = self.weights, batch["image"]
        fake, mean, spread = self._painted(batch)
        terms: Terms = {}
        if weights.adversarial:
            made = self._layers({**batch, "image": fake})
            with torch.no_grad():
                real = self._layers(batch)
            losses = [
                self.objective.generator(ours[-1], theirs[-1]) for ours, theirs in zip(made, real)
            ]
            terms["adversarial"] = weights.adversarial * torch.stack(losses).mean()
            if weights.matching:
                terms["matching"] = weights.matching * matched_layers(real, made)
        if self.perceptual is not None:
            seen, wanted = self.perceptual(fake), self.perceptual(truth)
            apart = perceptual_loss(seen, wanted, SCALES)
            terms["perceptual"] = weights.perceptual * apart
        if weights.distance:
            terms["l1"] = weights.distance * l1(fake, truth)
        if mean is not None and spread is not None:
            divergence = -0.5 * (1 + spread - mean.square() - spread.exp()).sum(1).mean()
            terms["divergence"] = weights.divergence * divergence
        return terms

    def _painted(self, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Photos of a batch's label maps, and the law of the styles that they were given."""
        labels = self.split(batch["input"])
        if self.encoder is None:
            return self.generator(labels), None, None
        mean, spread = self.encoder(batch["image"])
        style = mean + (spread / 2).exp() * torch.randn_like(mean)
        return self.generator(labels, style), mean, spread

    def _layers(self, batch: Batch) -> list[Layers]:
        return self.discriminator(torch.cat([self.split(batch["input"]), batch["image"]], dim=1))


def matched_layers(real: Sequence[Layers], fake: Sequence[Layers]) -> Tensor:
    """The distance of all layers but the logits, summed over layers, averaged over critics."""
    parts = [feature_matching(a[:-1], b[:-1]) for a, b in zip(real, fake)]
    return torch.stack(parts).mean()


RULES = "arXiv:1903.07291, section 4"
WEIGHTS = "arXiv:1903.07291, appendix A"

PAPER = {
    "discriminator": Optim(lr=4e-4, betas=(0.0, 0.9)),
    "generator": Optim(lr=1e-4, betas=(0.0, 0.9)),
}
CITED = cite(WEIGHTS, "model.matching", "model.perceptual", "model.scales") | cite(
    "arXiv:1903.07291, section 3", "model.objective"
)
SEARCH = {"model.matching": Factor(0.1, 10), "model.perceptual": Factor(0.1, 10)}

FACADES = Labelled(path="facades", size=(64, 64), crop=True, flip=True)
SMALL = Spade.Config(width=16, hidden=32, critic_width=32, norm="instance")
# Few steps: the paper's ratio of rates, each four times as high.
QUICK_RATES = {
    "discriminator": Optim(lr=8e-4, betas=(0.0, 0.9)),
    "generator": Optim(lr=4e-4, betas=(0.0, 0.9)),
}
QUICK = Train(examples=6_000, batch=4, checkpoint_every=2_000, sheet_every=2_000, log_every=200)
CALM = Averaging(half_life=300)
SCORED = Evaluate(every=0, samples=106)

PRESETS = {
    "facades": Recipe(
        model=SMALL,
        data=FACADES,
        optim=QUICK_RATES,
        ema=CALM,
        train=QUICK,
        evaluate=SCORED,
        about="a quarter of the paper's width at 64 pixels: minutes of one core",
        sources=CITED,
    ),
    "facades-l1": Recipe(
        model=SMALL.model_copy(
            update={"adversarial": 0.0, "matching": 0.0, "perceptual": 0.0, "distance": 10.0}
        ),
        data=FACADES,
        optim=QUICK_RATES,
        ema=CALM,
        train=QUICK,
        evaluate=SCORED,
        about="facades without the game: the L1 distance alone",
    ),
    "facades-256": Recipe(
        model=Spade.Config(latent=256),
        data=FACADES.model_copy(update={"size": (256, 256)}),
        optim=PAPER,
        ema=Averaging(half_life=0),
        train=Train(examples=80_000, batch=16, sheet_every=8_000, checkpoint_every=20_000),
        evaluate=SCORED,
        about="the paper's networks, with styles: for a GPU",
        sources=CITED
        | cite(WEIGHTS, "model.width", "model.latent", "model.divergence", "model.critic_width")
        | cite(RULES, "optim"),
    ),
    "tiny": tiny(
        Spade.Config(
            width=4, hidden=4, critic_width=4, critic_halvings=2, perceptual=0.0, latent=4
        ),
        Labelled(path="shapes", limit=128),
        PAPER,
    ),
}
