"""CUT: one-way translation without pairs, by patches that stay what they were.

Park, Efros, Zhang and Zhu 2020, "Contrastive learning for unpaired image-to-image translation",
arXiv:2007.15651. One translator G from X to Y, one critic of Y, and no way back: a patch of G(x)
must be told from other patches of x by the patch of x at its own place, in features of G's own
encoder through a head of two layers (section 3):

    eq. 1  the critic tells pictures of Y from translated ones (least squares);
    eq. 4  PatchNCE(x, G(x)), 256 places of each of several layers, temperature 0.07, weight 1;
    eq. 5  PatchNCE(y, G(y)), weight 1: what is of Y already stays (CUT); FastCUT leaves it out.

One picture of each kind is enough (SinCUT): windows of both are learned, and R1 keeps the critic
from knowing the few of Y by heart.

Deviations: smaller pictures are judged in smaller patches and have fewer places; the heads learn
with the translator from the first step, as theirs do from the second. SinCUT has these networks,
not those of StyleGAN2, no term on Y, and windows of one scale.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from zerosum.config import Count, Positive, Size, Weight, Whole
from zerosum.core.game import Batch, Game, Terms, Turn, input_of
from zerosum.core.optim import Optim
from zerosum.core.recipe import Averaging, Evaluate, Recipe, Train, cite, tiny
from zerosum.core.schedule import Linear
from zerosum.core.search import Factor
from zerosum.data.spec import DataSpec, GameConfig
from zerosum.losses.contrast import patch_nce
from zerosum.losses.objectives import OBJECTIVES, ObjectiveName
from zerosum.losses.penalties import r1
from zerosum.modalities.images.fields import ImageField
from zerosum.modalities.images.sized import Sight
from zerosum.modalities.images.unpaired import Unpaired, both_kinds
from zerosum.nets.translate import NormName, PatchCritic, fitting_patch
from zerosum.nets.translator import ResidualTranslator, Rise


class CUT(Game):
    class Config(GameConfig):
        needs: ClassVar[tuple[str, ...]] = ("input", "image")

        input_channels: Whole = 0
        """Channels of X; 0 takes the number from the data."""
        channels: Whole = 0
        """Channels of Y; 0 takes the number from the data."""
        size: Size = (0, 0)
        """(height, width) of both in pixels; 0 takes it from the data."""
        width: Count = 64
        """Feature maps of the translator at full size; doubled at each halving."""
        blocks: Count = 9
        """Residual blocks."""
        halvings: Count = 2
        """How often the translator halves a picture."""
        rise: Rise = "transposed"
        """How maps are doubled again: transposed convolutions, or resizing, which leaves no
        checkerboard."""
        critic_width: Count = 64
        """Feature maps of the critic's first layer."""
        patch: Whole = 0
        """Side of what a logit sees: 7, 16, 34, 70, 142 or 286; 0: 70, less for small pictures."""
        norm: NormName = "instance"
        """Normalisation: by each picture's own statistics, or by the batch's."""
        objective: ObjectiveName = "lsgan"
        """The adversarial loss."""
        layers: tuple[Whole, ...] = (0, 2, 4, 8)
        """Layers of the encoder whose patches are compared; those that it lacks are left out."""
        places: Count = 256
        """Places of each layer, or all where it has fewer."""
        head: Count = 256
        """Width of the heads on top of the features."""
        temperature: Positive = 0.07
        """Of PatchNCE: tau."""
        nce: Weight = 1.0
        """Weight of PatchNCE between a picture and its translation: lambda_X."""
        identity: Weight = 1.0
        """Weight of PatchNCE between a picture of Y and its own translation: lambda_Y."""
        penalty: Weight = 0.0
        """Weight of R1 on the mean logit of a picture of Y; for few pictures."""

        def matched(self, spec: DataSpec) -> Self:
            before, after, size = both_kinds(spec, 2**self.halvings)
            same = self.identity if before == after else 0.0
            found = {"input_channels": before, "channels": after, "size": size, "identity": same}
            return self.model_copy(update=found)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        before, after, size = config.input_channels, config.channels, config.size
        self.given = ImageField(shape=(before, *size))
        self.objective = OBJECTIVES[config.objective]
        # The paper's squares have no half before them, as those of Mao et al. 2017 have.
        self.unit = 2.0 if config.objective == "lsgan" else 1.0
        self.nce, self.identity, self.penalty = config.nce, config.identity, config.penalty
        self.places, self.temperature = config.places, config.temperature
        self.translator = ResidualTranslator(
            before,
            after,
            width=config.width,
            blocks=config.blocks,
            halvings=config.halvings,
            norm=config.norm,
            rise=config.rise,
        )
        widths = self.translator.widths
        self.layers = [layer for layer in config.layers if layer < len(widths)]
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Linear(widths[layer], config.head),
                nn.ReLU(),
                nn.Linear(config.head, config.head),
            )
            for layer in self.layers
        )
        self.discriminator = PatchCritic(
            after,
            width=config.critic_width,
            patch=fitting_patch(config.patch, size),
            norm=config.norm,
        )

    def players(self) -> dict[str, list[nn.Module]]:
        return {
            "discriminator": [self.discriminator],
            "generator": [self.translator],
            "heads": [self.heads],
        }

    def generators(self) -> list[nn.Module]:
        return [self.translator]

    def critics(self) -> dict[str, Callable[[Batch], Tensor]]:
        return {"discriminator": lambda batch: self.discriminator(batch["image"])}

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn(("generator", "heads"), self.generator_loss),
        ]

    def inputs(self) -> dict[str, ImageField]:
        return {"input": self.given}

    def sight(self) -> Sight:
        return Sight(self.translator.step, self.translator.radius)

    def sample(
        self, n: int, *, rng: torch.Generator | None = None, **condition: Tensor
    ) -> dict[str, Tensor]:
        how = "cut translates: give the pictures as input (n, channels, H, W)"
        given = input_of(condition, n, how)
        return {"image": self.translator(given), "input": given}

    def discriminator_loss(self, batch: Batch) -> Terms:
        with torch.no_grad():
            fake = self.translator(batch["input"])
        real_logits, fake_logits = self.discriminator(batch["image"]), self.discriminator(fake)
        self.report(real_logits=real_logits, fake_logits=fake_logits)
        loss = self.objective.critic(real_logits, fake_logits)
        terms = {"adversarial": self.unit * loss / 2}
        if self.penalty:

            def whole(pictures: Tensor) -> Tensor:
                return self.discriminator(pictures).flatten(1).mean(1)

            terms["penalty"] = self.penalty * r1(whole, batch["image"])
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        x, y = batch["input"], batch["image"]
        fake = self.translator(x)
        real_logits = self.discriminator(y) if self.objective.relativistic else None
        deceived = self.objective.generator(self.discriminator(fake), real_logits)
        terms = {
            "adversarial": self.unit * deceived,
            "nce": self.nce * self.contrast(x, fake),
        }
        if self.identity:
            terms["identity"] = self.identity * self.contrast(y, self.translator(y))
        return terms

    def contrast(self, given: Tensor, made: Tensor) -> Tensor:
        """PatchNCE (eq. 4), in nats, a mean over the layers.

        Where X and Y differ in channels, the encoder cannot read its own answer: then grey stands
        for colour, or is repeated.

        Args:
            given: Pictures (B, C, H, W).
            made: Their translations.
        """
        channels = self.given.shape[0]
        assert channels is not None
        keys = self.translator.features(given, self.layers)
        queries = self.translator.features(_as(made, channels), self.layers)
        losses = []
        for head, query, key in zip(self.heads, queries, keys):
            count = query.shape[2] * query.shape[3]
            chosen = torch.randperm(count, device=query.device)[: self.places]
            of_query, of_key = (
                normalize(head(maps.flatten(2)[:, :, chosen].transpose(1, 2)), dim=2)
                for maps in (query, key)
            )
            losses.append(patch_nce(of_query, of_key, temperature=self.temperature))
        return torch.stack(losses).mean()


def _as(pictures: Tensor, channels: int) -> Tensor:
    """Pictures with so many channels: the same, their grey, or their grey repeated."""
    if pictures.shape[1] == channels:
        return pictures
    return pictures.mean(1, keepdim=True).expand(-1, channels, -1, -1)


CODE = "arXiv:2007.15651, section 4 and appendix C"


def players(rate: float, examples: int) -> dict[str, Optim]:
    """A rate that falls to 0 over the second half of a run."""
    falling = Optim(lr=Linear(start=rate, end=0.0, begin=examples // 2), betas=(0.5, 0.999))
    return dict.fromkeys(("discriminator", "generator", "heads"), falling)


RULES = cite(
    CODE,
    "model.objective",
    "model.places",
    "model.head",
    "model.temperature",
    "model.nce",
    "model.identity",
)

SEARCH = {"model.nce": Factor(0.1, 10), "model.identity": Factor(0.1, 10)}

PRESETS = {
    "icons": Recipe(
        model=CUT.Config(
            width=16, blocks=3, critic_width=32, rise="resize", layers=(0, 1, 2, 4), places=64
        ),
        data=Unpaired(path="icons:thin-fill", flip=True),
        optim=players(1e-3, 24_000),
        ema=Averaging(half_life=1_200),
        train=Train(
            examples=24_000, batch=16, checkpoint_every=8_000, sheet_every=4_000, log_every=800
        ),
        evaluate=Evaluate(every=8_000, samples=153),
        sources={path: source for path, source in RULES.items() if path != "model.places"},
    ),
    "photos": Recipe(
        model=CUT.Config(),
        data=Unpaired(path="photos", size=(256, 256), crop=True, flip=True),
        optim=players(2e-4, 400_000),
        ema=Averaging(half_life=0),
        train=Train(examples=400_000, batch=1, sheet_every=20_000, checkpoint_every=40_000),
        evaluate=Evaluate(every=40_000, samples=100),
        about="give your folder with A and B in it with --data",
        sources=RULES
        | cite(CODE, "optim", "train.batch", "model.width", "model.blocks", "data.size"),
    ),
    "picture": Recipe(
        model=CUT.Config(
            width=16,
            blocks=4,
            critic_width=32,
            patch=34,
            rise="resize",
            norm="batch",  # a whole picture has other statistics of its own than its windows
            objective="nonsaturating",
            layers=(0, 1, 2, 4),
            places=64,
            nce=4.0,
            identity=0.0,
            penalty=1.0,
        ),
        data=Unpaired(path="photos", size=(384, 384), window=64, flip=True),
        optim=players(1e-3, 6_000),
        ema=Averaging(half_life=300),
        train=Train(
            examples=6_000, batch=4, checkpoint_every=2_000, sheet_every=1_000, log_every=200
        ),
        evaluate=Evaluate(every=3_000, samples=36),
        about="one picture in A takes the style of one in B: give your folder with --data",
        sources=cite(CODE, "model.head", "model.temperature"),
    ),
    "tiny": tiny(
        CUT.Config(width=4, blocks=1, critic_width=4, layers=(0, 2), places=16, head=8),
        Unpaired(path="digits-edges"),
        players(2e-4, 640),
    ),
}
