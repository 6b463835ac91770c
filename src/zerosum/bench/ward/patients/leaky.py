"""A GAN whose real pictures alone are augmented.

The mistake: augmentation as classifiers use it, on the data only. The generator then learns the
augmented law, shifted and blanked pictures included (Zhao et al. 2020, arXiv:2006.10738, section
3.1, "augment reals only").
"""

from __future__ import annotations

from zerosum.augment.diffaugment import DiffAugment
from zerosum.core.game import Batch, Terms
from zerosum.core.recipe import Recipe
from zerosum.core.registry import recipe
from zerosum.models.images.rpgan import RpGAN


class Leaky(RpGAN):
    class Config(RpGAN.Config):
        pass

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.augment = DiffAugment(("translation", "cutout"))

    def discriminator_loss(self, batch: Batch) -> Terms:
        return super().discriminator_loss({**batch, "image": self.augment(batch["image"])})

    def generator_loss(self, batch: Batch) -> Terms:
        return super().generator_loss({**batch, "image": self.augment(batch["image"])})


def _preset(name: str) -> Recipe:
    healthy = recipe(f"rpgan/{name}")
    return healthy.model_copy(
        update={"model": Leaky.Config.model_validate(healthy.model.model_dump())}
    )


PRESETS = {"digits": _preset("digits"), "tiny": _preset("tiny")}
