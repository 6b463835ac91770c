"""A GAN whose code has one loud direction.

The mistake: the code's numbers have widely different scales, as when one feature is given to a
generator unnormalised beside others: the generator hears the loudest only.
"""

from __future__ import annotations

import torch
from torch import Tensor

from zerosum.core.game import Batch
from zerosum.core.recipe import Recipe
from zerosum.core.registry import recipe
from zerosum.models.images.rpgan import RpGAN


class Squeezed(RpGAN):
    class Config(RpGAN.Config):
        pass

    def decode(self, z: Tensor, condition: Batch) -> dict[str, Tensor]:
        volume = torch.full_like(z[0], 1e-3)
        volume[0] = 3.0
        return super().decode(z * volume, condition)


def _preset(name: str) -> Recipe:
    healthy = recipe(f"rpgan/{name}")
    return healthy.model_copy(
        update={"model": Squeezed.Config.model_validate(healthy.model.model_dump())}
    )


PRESETS = {"digits": _preset("digits"), "tiny": _preset("tiny")}
