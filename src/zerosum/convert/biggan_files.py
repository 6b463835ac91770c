"""BigGAN's files hold tensors alone: arguments are read off their names and shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from zerosum.convert.tensors import filled
from zerosum.errors import UserError
from zerosum.layers.power import Spectral
from zerosum.nets.biggan import (
    Discriminator,
    Generator,
    discriminator_multiples,
    generator_multiples,
)

EPS = 1e-6
"""Least length of a vector in spectral normalisation, as the authors' scripts for ImageNet have
it: it is in no file, and changes nothing where weights are not tiny."""
Tensors = Mapping[str, Tensor]


def generator(tensors: Tensors) -> tuple[dict[str, Any], Generator]:
    """Our settings of a generator's tensors, and the network.

    Raises:
        UserError: It is of BigGAN-deep, normalised by several singular values, or not whole.
    """
    _refuse_others(tensors)
    levels = _blocks(tensors)
    multiples, start = generator_multiples(levels), tensors["linear.weight"]
    width = tensors["output_layer.2.weight"].shape[1] // multiples[-1]
    gains = tensors["blocks.0.0.bn1.gain.weight"]
    embedding = tensors.get("shared.weight")
    shared = 0 if embedding is None else embedding.shape[1]
    hierarchical = embedding is not None and gains.shape[1] > shared
    latent = start.shape[1] * (levels + 1 if hierarchical else 1)
    classes = gains.shape[0] if embedding is None else embedding.shape[0]
    side, attended = 4 * 2**levels, _attended(tensors)
    settings = {
        "size": (side, side),
        "channels": tensors["output_layer.2.weight"].shape[0],
        "classes": classes,
        "latent": latent,
        "width": width,
        "shared": shared,
        "hierarchical": hierarchical,
        "attention": 4 * 2 ** (attended[0] + 1) if attended else 0,
        "eps": EPS,
    }
    network = Generator(
        latent,
        [width * n for n in multiples],
        settings["channels"],
        classes=classes,
        grid=(4, 4),
        shared=shared,
        hierarchical=hierarchical,
        attention=attended,
        spectral=Spectral(eps=EPS),
    )
    return settings, filled(network, tensors, "the BigGAN generator").eval()


def discriminator(
    tensors: Tensors, settings: Mapping[str, Any]
) -> tuple[dict[str, Any], Discriminator]:
    """What a discriminator's tensors add to the generator's settings, and the network."""
    _refuse_others(tensors)
    levels = settings["size"][0].bit_length() - 3
    multiples, halved = discriminator_multiples(levels)
    width = tensors["blocks.0.0.conv1.weight"].shape[0] // multiples[0]
    network = Discriminator(
        [width * n for n in multiples],
        halved,
        settings["channels"],
        classes=settings["classes"],
        attention=_attended(tensors),
        spectral=Spectral(eps=EPS),
    )
    return {"critic_width": width}, filled(network, tensors, "the BigGAN discriminator").eval()


def _blocks(tensors: Tensors) -> int:
    return len({n.split(".")[1] for n in tensors if n.endswith(".0.conv1.weight")})


def _attended(tensors: Tensors) -> list[int]:
    return [int(n.split(".")[1]) for n in tensors if n.endswith(".1.theta.weight")]


def _refuse_others(tensors: Tensors) -> None:
    if any(name.endswith(".conv3.weight") for name in tensors):
        raise UserError(
            "holds a network of BigGAN-deep, and no arguments to build it of: use it from Python "
            "with zerosum.convert.biggan"
        )
    if any(name.endswith(".u1") for name in tensors):
        raise UserError(
            "is normalised by more than one singular value, and our biggan by one: use it from "
            "Python with zerosum.convert.biggan"
        )
