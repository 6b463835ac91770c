"""StarGAN: one generator that brings pictures to any of several domains.

Choi et al. 2018, "StarGAN: unified generative adversarial networks for multi-domain image-to-image
translation", arXiv:1711.09020. Of a picture x of domain c' and a target domain c:

    eq. 1, 8  a critic tells x from G(x, c): Wasserstein, gradient penalty 10;
    eq. 2, 3  the same critic learns the domain of x, and G(x, c) is to be taken for c (weight 1);
    eq. 4     |x - G(G(x, c), c')|_1: what is no matter of the domain stays (weight 10).

Section 4.1 and table 4: c as one map for each domain beside x, two halvings, six residual blocks,
instance normalisation; five moves of the critic for one of G; Adam(1e-4, 0.5, 0.999), batch 16,
the rate falling to 0 over the second half.

Deviations: edges are reflected, and the first layer of G is not normalised, as instance
normalisation takes away what constant maps add and c would be lost; smaller pictures are halved
less often by the critic; each picture has one label, so that the paper's vector of several binary
ones, and its mask vector for several sets, are not there. Targets are drawn by the data, all
domains alike.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from zerosum.config import Count, Size, Weight, Whole
from zerosum.core.game import Batch, Game, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Linear
from zerosum.core.search import Factor
from zerosum.data.fields import Category, Field
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import gradient_penalty
from zerosum.losses.reconstruction import l1
from zerosum.modalities.images.domains import Domains, domains_of
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.sized import Sight
from zerosum.nets.stargan import DomainCritic, DomainTranslator


class StarGAN(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "origin", "image", "domain")

        domains: Whole = 0
        """How many domains there are; 0 takes the number from the data."""
        channels: Whole = 0
        """Channels of the pictures; 0 takes the number from the data."""
        size: Size = (0, 0)
        """(height, width) in pixels; 0 takes it from the data."""
        width: Count = 64
        """Feature maps of the generator at full size; doubled at each halving."""
        blocks: Count = 6
        """Residual blocks."""
        halvings: Count = 2
        """How often the generator halves a picture."""
        critic_width: Count = 64
        """Feature maps of the critic's first layer; doubled at each."""
        critic_halvings: Whole = 0
        """How often the critic halves a picture; 0: down to 2 pixels, 6 times at most."""
        critic_steps: Count = 5
        """Moves of the critic per step."""
        penalty: Weight = 10.0
        """Weight of the gradient penalty."""
        classification: Weight = 1.0
        """Weight of the domain's classification."""
        back: Weight = 10.0
        """Weight of the way back to the picture."""

        def matched(self, spec: DataSpec) -> Self:
            domains, channels, size = domains_of(spec, "stargan")
            step = 2**self.halvings
            if any(side % step for side in size):
                near = [max(1, round(side / step)) * step for side in size]
                raise UserError(
                    f"stargan needs sides that are multiples of {step}, not {size[0]}x{size[1]}: "
                    f"set data.size={near[0]}x{near[1]}"
                )
            found = {"domains": domains, "channels": channels, "size": size}
            return self.model_copy(update=found)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights, self.domains = config, config.domains
        self.objective = OBJECTIVES["wasserstein"]
        self.given: dict[str, Field] = {
            "input": ImageField(shape=(config.channels, *config.size)),
            "domain": Category(count=config.domains),
        }
        self.generator = DomainTranslator(
            config.channels,
            config.domains,
            width=config.width,
            blocks=config.blocks,
            halvings=config.halvings,
        )
        self.critic = DomainCritic(
            config.channels,
            config.size,
            config.domains,
            width=config.critic_width,
            halvings=config.critic_halvings,
        )

    def players(self) -> dict[str, list[nn.Module]]:
        return {"critic": [self.critic], "generator": [self.generator]}

    def turns(self) -> list[Turn]:
        return [
            Turn("critic", self.critic_loss, repeat=self.weights.critic_steps),
            Turn("generator", self.generator_loss),
        ]

    def inputs(self) -> dict[str, Field]:
        return self.given

    def sight(self) -> Sight:
        return Sight(self.generator.step, self.generator.radius)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        lacking = [name for name in self.given if name not in condition]
        if lacking:
            raise UserError(f"stargan restyles pictures: give {' and '.join(lacking)} (n, ...)")
        given, domain = condition["input"], condition["domain"]
        return {"image": self.restyled(given, domain), "input": given, "domain": domain}

    def restyled(self, pictures: Tensor, domain: Tensor) -> Tensor:
        """Pictures (B, C, H, W) brought to domains (B,)."""
        return self.generator.told(pictures, domain)

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.judge(batch["image"])}

    def judge(self, pictures: Tensor) -> Tensor:
        """One logit (B,) for each picture, the mean over its places."""
        return self.critic(pictures)[0].flatten(1).mean(1)

    def critic_loss(self, batch: Batch) -> Terms:
        real, origin = batch["input"], batch["origin"]
        with torch.no_grad():
            fake = self.restyled(real, batch["domain"])
        places, scores = self.critic(real)
        real_logits, fake_logits = places.flatten(1).mean(1), self.judge(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        weights = self.weights
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "classification": weights.classification * cross_entropy(scores, origin),
            "penalty": weights.penalty * gradient_penalty(self.judge, real, fake),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        given, origin, domain = batch["input"], batch["origin"], batch["domain"]
        fake = self.restyled(given, domain)
        places, scores = self.critic(fake)
        again = self.restyled(fake, origin)
        weights = self.weights
        return {
            "adversarial": self.objective.generator(places.flatten(1).mean(1)),
            "classification": weights.classification * cross_entropy(scores, domain),
            "back": weights.back * l1(again, given),
        }


def falling(rate: float, examples: int) -> Optim:
    """A rate that falls to 0 over the second half of a run (section 4.1)."""
    return Optim(lr=Linear(start=rate, end=0.0, begin=examples // 2), betas=(0.5, 0.999))


def both(rate: float, examples: int) -> dict[str, Optim]:
    return dict.fromkeys(("critic", "generator"), falling(rate, examples))


SECTION = "arXiv:1711.09020, section 4.1"
PLAY = cite(SECTION, "model.penalty", "model.back", "model.critic_steps")
RULES = PLAY | cite(SECTION, "model.classification")
SEARCH = {"model.back": Factor(0.1, 10), "model.classification": Factor(0.1, 10)}

SMALL = StarGAN.Config(width=16, blocks=2, critic_width=16, critic_halvings=4)
CALM = Averaging(half_life=400)
SCORED = Evaluate(samples=400, metrics=("domain-accuracy",))

PRESETS = {
    "digits": Recipe(
        model=SMALL.model_copy(update={"halvings": 1, "critic_halvings": 2}),
        data=Domains(path="digits"),
        optim=both(1e-3, 64_000),
        ema=CALM,
        train=Train(
            examples=64_000, batch=16, checkpoint_every=16_000, sheet_every=16_000, log_every=1_600
        ),
        evaluate=SCORED,
        about="scikit-learn's digits of 8 pixels: five minutes of one core",
        sources=RULES | cite(SECTION, "train.batch"),
    ),
    "mnist": Recipe(
        # With the weight 1 a picture that is hardly changed may win: it looks real as it is.
        model=SMALL.model_copy(
            update={"halvings": 1, "critic_halvings": 3, "classification": 5.0}
        ),
        data=Domains(path="mnist", size=(16, 16), resize="pad", limit=8_000),
        optim=both(1e-3, 40_000),
        ema=CALM,
        train=Train(
            examples=40_000, batch=16, checkpoint_every=10_000, sheet_every=10_000, log_every=1_000
        ),
        evaluate=SCORED,
        about="digits plain, inverted, turned and coloured: minutes of one core",
        sources=PLAY | cite(SECTION, "train.batch"),
    ),
    "aging": Recipe(
        model=SMALL,
        data=Domains(path="faces"),
        optim=both(1e-3, 24_000),
        ema=CALM,
        train=Train(
            examples=24_000, batch=8, checkpoint_every=12_000, sheet_every=12_000, log_every=800
        ),
        evaluate=SCORED,
        about="age groups of synthetic faces, or of a folder for each group",
        sources=RULES,
    ),
    "photos": Recipe(
        model=StarGAN.Config(),
        data=Domains(path="photos", size=(128, 128), flip=True),
        optim=both(1e-4, 640_000),
        ema=Averaging(half_life=0),
        train=Train(examples=640_000, batch=16, sheet_every=16_000, checkpoint_every=64_000),
        evaluate=SCORED,
        about="the paper's: give your folder of folders with --data; for a GPU",
        sources=RULES
        | cite(SECTION, "optim", "data.size", "data.flip", "train.batch")
        | cite("arXiv:1711.09020, table 4", "model.width", "model.blocks"),
    ),
    "tiny": tiny(
        StarGAN.Config(width=4, blocks=1, critic_width=4, critic_steps=2),
        Domains(path="digits", limit=256),
        both(1e-3, 640),
    ),
}
