"""StarGAN v2: pictures brought to a domain in a style, which is drawn or read off a picture.

Choi, Uh, Yoo and Ha 2020, "StarGAN v2: diverse image synthesis for multiple domains",
arXiv:1912.01865. Of a picture x of domain c', a target c and a style s, which a mapping network
makes of noise z, or an encoder of a reference picture, both with a head for each domain:

    eq. 1  a critic, with a head for each domain, tells pictures of c from G(x, s), non-saturating;
    eq. 2  |s - E(G(x, s), c)|_1: the style is there (weight 1);
    eq. 3  |G(x, s1) - G(x, s2)|_1 is to be large (weight 1, falling to 0 over the run);
    eq. 4  |x - G(G(x, s), E(x, c'))|_1: what is no matter of style or domain stays (weight 1).

Appendix B: in each step both players move with styles of noise and then with styles of
references; R1 of weight 1; Adam(0, 0.99), rates 1e-4, of the mapping network 1e-6, weight decay
1e-4, batch 8, weights averaged at 0.999.

Deviations: no high-pass skips with landmarks, which the paper has for faces alone; maps are
doubled from 64 rather than divided down from 2^14 / side; smaller pictures are halved less often.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from zerosum.config import Count, Size, Weight, Whole
from zerosum.core.game import Batch, Game, Terms, Turn
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.search import Factor
from zerosum.data.fields import Category, Field, Numbers
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.errors import UserError
from zerosum.losses.objectives import OBJECTIVES
from zerosum.losses.penalties import r1
from zerosum.losses.reconstruction import l1
from zerosum.modalities.images.domains import Domains, domains_of
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.sized import Sight
from zerosum.nets.starganv2 import DomainHeads, MappingNetwork, StyleTranslator, he

Players = tuple[str, ...]
NOISE: Players = ("generator", "mapping", "encoder")
"""Who moves on the losses of styles of noise; on those of references G alone (authors' code)."""


class StarGANv2(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "origin", "image", "domain", "reference")

        domains: Whole = 0
        """How many domains there are; 0 takes the number from the data."""
        channels: Whole = 0
        """Channels of the pictures; 0 takes the number from the data."""
        size: Size = (0, 0)
        """(height, width) in pixels; 0 takes it from the data."""
        latent: Count = 16
        """Numbers of the noise."""
        style: Count = 64
        """Numbers of a style."""
        width: Count = 64
        """Feature maps of all networks at full size; doubled at each halving, up to 8 times."""
        halvings: Count = 4
        """How often the generator halves a picture."""
        flat: Count = 2
        """Blocks of the generator at the smallest size, on each side."""
        mapping_width: Count = 512
        """Units of the mapping network's layers."""
        penalty: Weight = 1.0
        """Weight of R1."""
        styled: Weight = 1.0
        """Weight of the style's reconstruction."""
        diversity: Weight = 1.0
        """Weight of diversity at the start; it falls to 0 over the run."""
        cycle: Weight = 1.0
        """Weight of the way back to the picture."""

        def matched(self, spec: DataSpec) -> Self:
            domains, channels, size = domains_of(spec, "starganv2")
            step = 2**self.halvings
            if any(side % step for side in size):
                near = [max(1, round(side / step)) * step for side in size]
                raise UserError(
                    f"starganv2 needs sides that are multiples of {step}, not "
                    f"{size[0]}x{size[1]}: set data.size={near[0]}x{near[1]}, or lower "
                    "model.halvings"
                )
            found = {"domains": domains, "channels": channels, "size": size}
            return self.model_copy(update=found)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.weights = config
        self.objective = OBJECTIVES["nonsaturating"]
        self.given: dict[str, Field] = {
            "input": ImageField(shape=(config.channels, *config.size)),
            "domain": Category(count=config.domains),
        }
        heads = (config.channels, config.size, config.domains)
        self.generator = StyleTranslator(
            config.channels,
            config.style,
            width=config.width,
            halvings=config.halvings,
            flat=config.flat,
        )
        self.mapping = MappingNetwork(
            config.latent, config.style, config.domains, width=config.mapping_width
        )
        self.encoder = DomainHeads(*heads, config.style, width=config.width)
        self.critic = DomainHeads(*heads, 1, width=config.width)
        self.apply(he)

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "critic": [self.critic],
            "generator": [self.generator],
            "mapping": [self.mapping],
            "encoder": [self.encoder],
        }

    def generators(self) -> list[nn.Module]:
        return [self.generator, self.mapping, self.encoder]

    def turns(self) -> list[Turn]:
        return [
            Turn("critic", lambda batch: self.critic_loss(batch, self.drawn(batch))),
            Turn("critic", lambda batch: self.critic_loss(batch, self.read(batch))),
            Turn(NOISE, lambda batch: self.generator_loss(batch, self.drawn, self.drawn)),
            Turn("generator", self.referred_loss),
        ]

    def inputs(self) -> dict[str, Field]:
        return self.given

    def conditions(self) -> dict[str, Field]:
        return {"style": Numbers(shape=(self.weights.style,))}

    def sight(self) -> Sight:
        """Statistics see the whole picture."""
        return Sight(self.generator.step)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        lacking = [name for name in self.given if name not in condition]
        if lacking:
            raise UserError(f"starganv2 restyles pictures: give {' and '.join(lacking)} (n, ...)")
        given, domain = condition["input"], condition["domain"]
        style = condition.get("style")
        if style is None:
            style = self.mapping(self.normal(n, self.weights.latent, rng=rng), domain)
        made = self.generator(given, style)
        return {"image": made, "input": given, "domain": domain, "style": style}

    def style_of(self, pictures: Tensor, domain: Tensor) -> Tensor:
        """Styles (B, style) of pictures (B, C, H, W), of the training's size, in their domains."""
        return self.encoder(pictures, domain)

    def drawn(self, batch: Batch) -> Tensor:
        """Styles of the target domains, of fresh noise."""
        noise = self.normal(len(batch["domain"]), self.weights.latent)
        return self.mapping(noise, batch["domain"])

    def read(self, batch: Batch) -> Tensor:
        """Styles of the target domains, of pictures of these."""
        return self.encoder(batch["image"], batch["domain"])

    def read_other(self, batch: Batch) -> Tensor:
        """The same of other pictures."""
        return self.encoder(batch["reference"], batch["domain"])

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"critic": lambda batch: self.judge(batch["image"], batch["domain"])}

    def judge(self, pictures: Tensor, domain: Tensor) -> Tensor:
        """Logits (B,) of pictures as ones of their domains."""
        return self.critic(pictures, domain)[:, 0]

    def critic_loss(self, batch: Batch, style: Tensor) -> Terms:
        real, origin, domain = batch["input"], batch["origin"], batch["domain"]
        with torch.no_grad():
            fake = self.generator(real, style.detach())
        real_logits, fake_logits = self.judge(real, origin), self.judge(fake, domain)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        penalty = r1(lambda pictures: self.judge(pictures, origin), real)
        return {
            "adversarial": self.objective.critic(real_logits, fake_logits),
            "penalty": self.weights.penalty / 2 * penalty,
        }

    def generator_loss(
        self,
        batch: Batch,
        first: Callable[[Batch], Tensor],
        second: Callable[[Batch], Tensor],
    ) -> Terms:
        """The terms of equations 1 to 4, for two ways to a style."""
        weights, given, domain = self.weights, batch["input"], batch["domain"]
        style = first(batch)
        fake = self.generator(given, style)
        with torch.no_grad():
            other = self.generator(given, second(batch))
        again = self.generator(fake, self.encoder(given, batch["origin"]))
        return {
            "adversarial": self.objective.generator(self.judge(fake, domain)),
            "style": weights.styled * l1(self.encoder(fake, domain), style),
            "diversity": -self.diversity() * l1(fake, other),
            "cycle": weights.cycle * l1(again, given),
        }

    def referred_loss(self, batch: Batch) -> Terms:
        """The same for styles of references."""
        return self.generator_loss(batch, self.read, self.read_other)

    def diversity(self) -> float:
        """The weight of diversity by now."""
        total = self.progress.total
        left = 1 - self.progress.seen / total if total else 1.0
        return self.weights.diversity * max(0.0, left)


def rates(rate: float, mapping: float, decay: float = 1e-4) -> dict[str, Optim]:
    usual = Optim(lr=rate, betas=(0.0, 0.99), weight_decay=decay)
    slow = usual.model_copy(update={"lr": mapping})
    return {"critic": usual, "generator": usual, "mapping": slow, "encoder": usual}


APPENDIX = "arXiv:1912.01865, appendix B"
RULES = cite(
    APPENDIX, "model.penalty", "model.styled", "model.diversity", "model.cycle", "train.batch"
)
SEARCH = {"model.cycle": Factor(0.1, 10), "model.diversity": Factor(0.1, 10)}
SCORED = Evaluate(samples=400, metrics=("domain-accuracy",))

PRESETS = {
    "mnist": Recipe(
        # Sixteen numbers of style hold the digit, and the way back needs no picture: the answers
        # then forget what was given. Two hold a colour, but the styles of two domains may lie in
        # one direction, and nothing else tells the generator the domain.
        model=StarGANv2.Config(
            latent=2,
            style=4,
            width=12,
            halvings=1,
            flat=2,
            mapping_width=64,
            diversity=0.3,
            cycle=5.0,
        ),
        data=Domains(path="mnist", size=(16, 16), resize="pad", limit=8_000),
        optim=rates(1e-3, 1e-5),
        ema=Averaging(half_life=600),
        train=Train(
            examples=40_000, batch=8, checkpoint_every=10_000, sheet_every=10_000, log_every=1_000
        ),
        evaluate=SCORED,
        about="digits plain, inverted, turned and coloured: minutes of one core",
        sources=cite(APPENDIX, "model.penalty", "model.styled", "train.batch"),
    ),
    "photos": Recipe(
        model=StarGANv2.Config(),
        data=Domains(path="photos", size=(256, 256), flip=True),
        optim=rates(1e-4, 1e-6),
        ema=Averaging(half_life=5_542, ramp=0),  # 0.999 for each step of 8
        train=Train(examples=800_000, batch=8, sheet_every=16_000, checkpoint_every=64_000),
        evaluate=SCORED,
        about="the paper's: give your folder of folders with --data; for a GPU",
        sources=RULES
        | cite(APPENDIX, "optim", "ema.half_life", "train.examples")
        | cite(
            "arXiv:1912.01865, appendix, tables 5 to 7",
            "model.latent",
            "model.style",
            "model.mapping_width",
            "data.size",
        ),
    ),
    "tiny": tiny(
        StarGANv2.Config(latent=4, style=4, width=4, halvings=1, flat=1, mapping_width=8),
        Domains(path="digits", limit=256),
        rates(1e-3, 1e-3),
    ),
}
