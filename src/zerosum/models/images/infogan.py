"""InfoGAN: codes that the generator may not ignore.

Chen, Duan, Houthooft, Schulman, Sutskever and Abbeel 2016, "InfoGAN: Interpretable Representation
Learning by Information Maximizing Generative Adversarial Nets", arXiv:1606.03657: beside noise the
generator gets a categorical and some continuous codes, and the game of 2014 is joined by a lower
bound on their mutual information with the image (eqs. 4 to 6), given by a network Q that shares
the discriminator's layers. Nobody names the codes: the categorical one finds classes by itself.

Q's posterior of the continuous codes is a Gaussian of variance 1, as in the authors' code (a
learned variance rewards codes without end for being legible, and they push the categorical one
aside).

Deviations: the weight of the continuous codes; the shared layers and Q learn the bound in the
discriminator's turn, the generator in its own; one categorical code; strided convolutions of our
own, batch normalisation in the generator alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from zerosum.config import Count, Weight, Whole
from zerosum.core.game import Batch, LatentGame, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Cosine
from zerosum.core.search import Factor
from zerosum.data.fields import Category, Field
from zerosum.losses.information import categorical_information, gaussian_information
from zerosum.losses.objectives import OBJECTIVES
from zerosum.modalities.images import ImageConfig, Images
from zerosum.modalities.images.presets import on_digits
from zerosum.nets.mlp import mlp
from zerosum.nets.plain import Generator, Trunk


class InfoGAN(LatentGame):
    """The codes are the condition `category` (n,) and the last `styles` numbers of z."""

    class Config(ImageConfig):
        noise: Count = 62
        """Numbers in the latent code that no code stands for."""
        categories: Count = 10
        """Values of the categorical code."""
        styles: Whole = 2
        """Continuous codes, uniform on [-1, 1]; 0 for none."""
        width: Count = 32
        """Feature maps after the first halving; doubled at each level below."""
        hidden: Count = 128
        """Width of the hidden layer that Q has for itself."""
        category_weight: Weight = 1.0
        """Weight of the bound of the categorical code: lambda."""
        style_weight: Weight = 0.1
        """Weight of the bound of the continuous codes."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.noise, self.categories, self.styles = config.noise, config.categories, config.styles
        self.category_weight, self.style_weight = config.category_weight, config.style_weight
        self.objective = OBJECTIVES["nonsaturating"]
        shape = (config.width, config.channels, config.size)
        codes = config.noise + config.styles + config.categories
        self.generator = Generator(codes, *shape, norm=nn.BatchNorm2d)
        self.trunk = Trunk(*shape)
        self.score = nn.Sequential(nn.Linear(self.trunk.features, 1), nn.Flatten(0))
        found = config.categories + config.styles
        self.recogniser = mlp([self.trunk.features, config.hidden, found])

    def conditions(self) -> dict[str, Field]:
        return {"category": Category(count=self.categories)}

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "discriminator": [self.trunk, self.score],
            "recogniser": [self.recogniser],
            "generator": [self.generator],
        }

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.score(self.trunk(batch["image"]))}

    def turns(self) -> list[Turn]:
        return [
            Turn(("discriminator", "recogniser"), self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def latent(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        noise = self.normal(n, self.noise, rng=rng)
        source = self.device if rng is None else rng.device
        styles = torch.rand(n, self.styles, generator=rng, device=source).to(self.device)
        return torch.cat([noise, 2 * styles - 1], dim=1)

    def prior(self, n: int, rng: torch.Generator | None = None) -> dict[str, Tensor]:
        return {"category": self.uniform_labels(n, self.categories, rng)}

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        category = condition["category"]
        code = torch.cat([z, one_hot(category, self.categories).to(z.dtype)], dim=1)
        return {"image": self.generator(code), "category": category}

    def infer(self, images: Tensor) -> dict[str, Tensor]:
        """What Q says of images (B, C, H, W).

        Returns:
            `category`, logits (B, categories), and `style`, means (B, styles) of the continuous
            codes.
        """
        return self._codes(self.trunk(images))

    def cluster(self, images: Tensor) -> Tensor:
        """The likeliest value (B,) of the categorical code: a clustering of the data."""
        return self.infer(images)["category"].argmax(1)

    def sweep(
        self, steps: int = 10, *, rng: torch.Generator | None = None, style: int = 0
    ) -> Tensor:
        """Images in which one code after another changes and nothing else (the paper's figure 2).

        Args:
            steps: Values of the continuous code, from -2 to 2.
            rng: Source of the noise, which all rows share.
            style: Which continuous code changes along a row.

        Returns:
            (categories, steps, C, H, W): a row per value of the categorical code.
        """
        z = self.latent(1, rng).repeat(self.categories * steps, 1)
        values = torch.linspace(-2, 2, steps, device=z.device)
        z[:, self.noise + style] = values.repeat(self.categories)
        category = torch.arange(self.categories, device=z.device).repeat_interleave(steps)
        images = self.decode(z, {"category": category})["image"]
        return images.unflatten(0, (self.categories, steps))

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["image"]
        with torch.no_grad():
            z, category, fake = self._drawn(len(real))
        seen = self.trunk(fake)
        real_logits, fake_logits = self.score(self.trunk(real)), self.score(seen)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        adversarial = self.objective.critic(real_logits, fake_logits)
        return {"adversarial": adversarial, **self._information(seen, z, category)}

    def generator_loss(self, batch: Batch) -> Terms:
        z, category, fake = self._drawn(len(batch["image"]))
        seen = self.trunk(fake)
        adversarial = self.objective.generator(self.score(seen))
        return {"adversarial": adversarial, **self._information(seen, z, category)}

    def _drawn(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        z, condition = self.latent(n), self.prior(n)
        return z, condition["category"], self.decode(z, condition)["image"]

    def _information(self, seen: Tensor, z: Tensor, category: Tensor) -> Terms:
        """Minus the weighted bounds; in nats they are among the signals."""
        found = self._codes(seen)
        of_category = categorical_information(found["category"], category)
        self.report(category_information=of_category)
        terms = {"category": -self.category_weight * of_category}
        if self.styles:
            styles = z[:, self.noise :]
            of_styles = gaussian_information(found["style"], styles)
            # What is learned has variance 1, as in the authors' code, and its bound cannot leave
            # -0.23 nats; that of the best variance for this batch says how much is legible.
            missed = (found["style"] - styles).detach().square().mean(0)
            legible = gaussian_information(found["style"], styles, missed.log())
            self.report(style_information=legible)
            terms["style"] = -self.style_weight * of_styles
        return terms

    def _codes(self, seen: Tensor) -> dict[str, Tensor]:
        category, style = self.recogniser(seen).split([self.categories, self.styles], dim=1)
        return {"category": category, "style": style}


FAST, SLOW = Optim(lr=1e-3, betas=(0.5, 0.999)), Optim(lr=2e-4, betas=(0.5, 0.999))
QUICK = Optim(lr=Cosine(start=1e-3, end=1e-4), betas=(0.5, 0.99))
PAPER = {"discriminator": SLOW, "recogniser": SLOW, "generator": FAST}  # appendix C.1

CODES = "arXiv:1606.03657, appendix C.1"

SEARCH = {"model.category_weight": Factor(0.1, 10), "model.style_weight": Factor(0.1, 10)}

PRESETS = {
    "digits": on_digits(
        InfoGAN.Config(noise=32),
        dict.fromkeys(PAPER, QUICK),
        examples=160_000,
        sources=cite(CODES, "model.categories", "model.styles", "model.category_weight"),
    ),
    "mnist": Recipe(
        model=InfoGAN.Config(),
        data=Images(path="mnist"),
        optim=PAPER,
        ema=Averaging(half_life=10_000),
        train=Train(examples=640_000, batch=128, channels_last=True),
        evaluate=Evaluate(every=128_000, samples=5_000),
        sources=cite(
            CODES,
            "model.noise",
            "model.categories",
            "model.styles",
            "model.category_weight",
            "optim.discriminator.lr",
            "optim.recogniser.lr",
            "optim.generator.lr",
            "train.batch",
        ),
    ),
    "tiny": tiny(
        InfoGAN.Config(noise=6, categories=4, styles=1, width=8, hidden=8),
        Images(path="digits"),
        PAPER,
    ),
}
