"""A conditional GAN whose discriminator never hears the label.

The mistake: the label is given to the generator, but the discriminator judges the picture alone,
so nothing ties a sample to its class.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zerosum.core.recipe import Recipe
from zerosum.core.registry import recipe
from zerosum.modalities.images import LabelledImageConfig
from zerosum.models.images.cgan import CGAN


class Deaf(CGAN):
    class Config(CGAN.Config, LabelledImageConfig):
        pass

    def judge(self, images: Tensor, label: Tensor) -> Tensor:
        return super().judge(images, torch.zeros_like(label))


def _preset(name: str) -> Recipe:
    healthy = recipe(f"cgan/{name}")
    return healthy.model_copy(
        update={"model": Deaf.Config.model_validate(healthy.model.model_dump())}
    )


PRESETS = {"digits": _preset("digits"), "tiny": _preset("tiny")}
