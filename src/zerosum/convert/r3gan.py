"""R3GAN in the vocabulary of its authors' release: constructor arguments and tensor names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from zerosum.convert.tensors import Arguments, filled, part
from zerosum.nets.r3gan import FILTER, Discriminator, Generator

State = Mapping[str, Tensor | np.ndarray]


def networks(
    g_kwargs: Mapping[str, Any], d_kwargs: Mapping[str, Any], c_dim: int, state: State
) -> tuple[Generator, Discriminator]:
    """Both networks with their weights.

    Args:
        g_kwargs: The generator's constructor arguments, such as `WidthPerStage`.
        d_kwargs: The discriminator's.
        c_dim: Numbers in a condition; 0 for none.
        state: Tensors by their names, which start with `G.` and `D.`.

    Returns:
        The generator and the discriminator.

    Raises:
        UserError: An argument that is unknown or missing, or a tensor that is missing, left
            over, or of another shape.
    """
    return generator(g_kwargs, c_dim, part(state, "G.")), discriminator(
        d_kwargs, c_dim, part(state, "D.")
    )


def generator(kwargs: Mapping[str, Any], c_dim: int, state: State) -> Generator:
    """The generator of constructor arguments and tensors; errors as of `networks`."""
    given = Arguments("the R3GAN generator", kwargs)
    latent = given.take("NoiseDimension")
    return filled(Generator(latent, **_shared(given, c_dim)), state, given.title)


def discriminator(kwargs: Mapping[str, Any], c_dim: int, state: State) -> Discriminator:
    """The discriminator of constructor arguments and tensors; errors as of `networks`."""
    given = Arguments("the R3GAN discriminator", kwargs)
    return filled(Discriminator(**_shared(given, c_dim)), state, given.title)


def _shared(given: Arguments, c_dim: int) -> dict[str, Any]:
    """What both constructors have, in our words."""
    for name in ("c_dim", "ConditionDimension"):  # wrappers of the release state it twice
        given.check(name, given.take(name, c_dim) or 0, c_dim)
    widths = given.take("WidthPerStage")
    shared = {
        "widths": widths,
        "cardinalities": given.take("CardinalityPerStage"),
        "blocks": given.take("BlocksPerStage"),
        "expansion": given.take("ExpansionFactor"),
        "classes": c_dim,
        "embedding": given.take("ConditionEmbeddingDimension", 0) if c_dim else 0,
        "kernel": given.take("KernelSize", 3),
        "taps": given.take("ResamplingFilter", FILTER),
        "half": given.take("FP16Stages", ()),
    }
    if not c_dim:
        given.take("ConditionEmbeddingDimension", 0)
    size = 4 * 2 ** (len(widths) - 1)
    given.check("img_resolution", given.take("img_resolution", size), size)
    given.done()
    return shared
