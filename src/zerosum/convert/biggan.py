"""BigGAN in the vocabulary of its authors' release in PyTorch: arguments and tensor names.

One dictionary of arguments serves both networks, as it does there. Which pair it is, that of the
paper or the deeper one of its appendix B.2, is told by the tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from zerosum.convert.tensors import Arguments, filled, part
from zerosum.errors import UserError
from zerosum.layers.power import Spectral
from zerosum.nets.biggan import (
    Discriminator,
    Generator,
    discriminator_multiples,
    generator_multiples,
)
from zerosum.nets.biggan_deep import (
    DeepDiscriminator,
    DeepGenerator,
    deep_discriminator_multiples,
)

State = Mapping[str, Tensor | np.ndarray]
SIZES = (32, 64, 128, 256, 512)

# Arguments that the constructors take and that change no number a network gives.
IDLE = ("lr", "B1", "B2", "mixed_precision", "fp16")
IDLE_OF_BOTH = ("adam_eps", "skip_init", "no_optim")


def networks(
    kwargs: Mapping[str, Any], state: State
) -> tuple[Generator | DeepGenerator, Discriminator | DeepDiscriminator]:
    """Both networks with their weights.

    Args:
        kwargs: Constructor arguments of both, such as `G_ch` and `D_ch`; absent ones have the
            release's defaults.
        state: Tensors by their names, which start with `G.` and `D.`.

    Returns:
        `G(z, y)` and `D(x, y)`, y being labels (N,).

    Raises:
        UserError: An argument that is unknown or cannot be had, or a tensor that is missing, left
            over, or of another shape.
    """
    given = Arguments("BigGAN", kwargs)
    of_generator, of_discriminator = part(state, "G."), part(state, "D.")
    size, classes = given.take("resolution", 128), given.take("n_classes", 1000)
    if size not in SIZES:
        raise UserError(f"BigGAN has no networks for resolution={size}: choose of {SIZES}")
    eps, deep = given.take("SN_eps", 1e-12), "blocks.0.0.conv4.weight" in of_generator
    generator, discriminator = (
        (_deep_generator, _deep_discriminator) if deep else (_generator, _discriminator)
    )
    pair = (
        generator(given, size, classes, _common(given, "G", eps, of_generator)),
        discriminator(given, size, classes, _common(given, "D", eps, of_discriminator)),
    )
    for name in (*IDLE_OF_BOTH, *(f"{who}_{name}" for who in "GD" for name in IDLE)):
        given.take(name, None)
    given.done()
    return (
        filled(pair[0], of_generator, "the BigGAN generator"),
        filled(pair[1], of_discriminator, "the BigGAN discriminator"),
    )


def _generator(given: Arguments, size: int, classes: int, common: Mapping[str, Any]) -> Generator:
    grid, width = given.take("bottom_width", 4), given.take("G_ch", 64)
    latent = given.take("dim_z", 128)
    shared, length = given.take("G_shared", True), given.take("shared_dim", 0)
    hierarchical = given.take("hier", False)
    if hierarchical and not shared:
        raise UserError("BigGAN with hier=True needs G_shared=True: parts of the code are vectors")
    return Generator(
        latent,
        [width * n for n in generator_multiples(size.bit_length() - 3)],
        classes=classes,
        grid=(grid, grid),
        shared=(length or latent) if shared else 0,
        hierarchical=hierarchical,
        **_norms(given),
        **common,
    )


def _deep_generator(
    given: Arguments, size: int, classes: int, common: Mapping[str, Any]
) -> DeepGenerator:
    grid, width = given.take("bottom_width", 4), given.take("G_ch", 64)
    latent, length = given.take("dim_z", 128), given.take("shared_dim", 0)
    # Without either the release's first layer would not fit what it is given.
    given.check("G_shared", given.take("G_shared", True), True)
    given.check("hier", given.take("hier", False), True)
    return DeepGenerator(
        latent,
        [width * n for n in generator_multiples(size.bit_length() - 3)],
        classes=classes,
        shared=length or latent,
        depth=given.take("G_depth", 2),
        grid=(grid, grid),
        **_norms(given),
        **common,
    )


def _norms(given: Arguments) -> dict[str, Any]:
    """What both generators have of batch normalisation."""
    given.check("cross_replica", given.take("cross_replica", False), False)
    given.check("mybn", given.take("mybn", False), False)
    return {
        "norm": given.take("norm_style", "bn"),
        "norm_eps": given.take("BN_eps", 1e-5),
    }


def _discriminator(
    given: Arguments, size: int, classes: int, common: Mapping[str, Any]
) -> Discriminator:
    multiples, halved = discriminator_multiples(size.bit_length() - 3)
    width = given.take("D_ch", 64)
    return Discriminator(
        [width * n for n in multiples],
        halved,
        classes=classes,
        wide=given.take("D_wide", True),
        outputs=given.take("output_dim", 1),
        **common,
    )


def _deep_discriminator(
    given: Arguments, size: int, classes: int, common: Mapping[str, Any]
) -> DeepDiscriminator:
    multiples, halved = deep_discriminator_multiples(size.bit_length() - 3)
    width = given.take("D_ch", 64)
    given.take("D_wide", True)  # which the deeper blocks have no use for
    return DeepDiscriminator(
        [width * n for n in multiples],
        halved,
        classes=classes,
        depth=given.take("D_depth", 2),
        outputs=given.take("output_dim", 1),
        **common,
    )


def _common(given: Arguments, who: str, eps: float, state: State) -> dict[str, Any]:
    """What both constructors have, in our words."""
    values = given.take(f"num_{who}_SVs", 1)
    iterations = given.take(f"num_{who}_SV_itrs", 1)
    normalised = given.take(f"{who}_param", "SN") == "SN"
    for name in (f"{who}_activation", f"{who}_nl"):
        kind = given.take(name, "relu")
        if not (isinstance(kind, nn.ReLU) or kind in ("relu", "inplace_relu", "ir")):
            raise UserError(f"BigGAN cannot have {name}={kind!r} here: it must be relu")
    given.take(f"{who}_attn", "64")
    begin = given.take(f"{who}_init", "ortho")
    return {
        "kernel": given.take(f"{who}_kernel_size", 3),
        # The names say it. The argument names sizes, and the release's table of sizes for 32
        # pixels calls every map of the discriminator 16 high.
        "attention": {int(name.split(".")[1]) for name in state if name.endswith(".theta.weight")},
        "spectral": Spectral(values if normalised else 0, iterations, eps),
        "begin": begin if begin in ("ortho", "N02", "glorot", "xavier") else "N02",
    }
