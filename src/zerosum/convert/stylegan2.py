"""StyleGAN2 in the vocabulary of its authors' PyTorch release: arguments and tensor names.

`num_fp16_res`, `fp16_channels_last`, `channels_last` and `fused_modconv_default` say how the
official code computes, not what: they are accepted and have no effect, as half precision is the
caller's autocast here. `conv_clamp` is honoured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from zerosum.convert.tensors import Arguments, filled
from zerosum.errors import UserError
from zerosum.layers.resample import fir
from zerosum.nets.styled import TAPS
from zerosum.nets.stylegan2 import Generator
from zerosum.nets.stylegan2_critic import Discriminator

MAPPING = {
    "num_layers": "layers",
    "embed_features": "embedding",
    "layer_features": "hidden",
    "activation": "mapping_kind",
    "lr_multiplier": "mapping_rate",
}
"""The mapping network's arguments, to ours."""
AVERAGED = {**MAPPING, "w_avg_beta": "momentum"}
"""Those of the generator's."""
SYNTHESIS = {
    "channel_base": "base",
    "channel_max": "most",
    "architecture": "architecture",
    "resample_filter": "taps",
    "conv_clamp": "clamp",
    "kernel_size": "kernel",
    "use_noise": "noisy",
    "activation": "kind",
}
"""The synthesis network's arguments, to ours."""
TOP = {
    "architecture": "architecture",
    "channel_base": "base",
    "channel_max": "most",
    "conv_clamp": "clamp",
    "cmap_dim": "projection",
}
"""The discriminator's own arguments, to ours."""
PRECISION = ("num_fp16_res", "fp16_channels_last", "channels_last", "fused_modconv_default")
ENDS = {
    "mbstd_group_size": "group",
    "mbstd_num_channels": "deviations",
    "activation": "end_kind",
}
"""Arguments of the discriminator's last layers, to ours."""
BLOCKS = {"activation": "kind", "resample_filter": "taps", "freeze_layers": "freeze"}
"""Arguments of the discriminator's blocks, to ours."""
_ABSENT = object()


def generator(kwargs: Mapping[str, Any], state: Mapping[str, Any]) -> Generator:
    """The generator that official arguments and tensors make.

    Args:
        kwargs: The constructor's: z_dim, c_dim, w_dim, img_resolution, img_channels, and
            mapping_kwargs, synthesis_kwargs; the latter's may also stand beside the others, as
            in the StyleGAN3 release.
        state: Arrays or tensors by official name.

    Raises:
        UserError: An argument or a tensor is unknown, missing, or does not fit.
    """
    whose = "StyleGAN2's generator"
    given = {**kwargs}
    mapping = given.pop("mapping_kwargs", None) or {}
    given |= given.pop("synthesis_kwargs", None) or {}
    own = Arguments(whose, given)
    latent, classes, width = own.take("z_dim"), own.take("c_dim"), own.take("w_dim")
    size, channels = resolution(own.take("img_resolution")), own.take("img_channels")
    synthesis = taken(own, SYNTHESIS)
    for name in PRECISION:
        own.take(name, None)
    own.done()
    network = Generator(
        latent,
        classes,
        width,
        channels,
        size,
        **taken(Arguments("mapping_kwargs", mapping), AVERAGED, all_of_them=True),
        **synthesis,
    )
    state = without_filters(state, synthesis.get("taps", TAPS), whose)
    return filled(network, state, whose).eval()


def discriminator(kwargs: Mapping[str, Any], state: Mapping[str, Any]) -> Discriminator:
    """The discriminator that official arguments and tensors make.

    Args:
        kwargs: The constructor's: c_dim, img_resolution, img_channels and what has defaults.
        state: Arrays or tensors by official name.

    Raises:
        UserError: An argument or a tensor is unknown, missing, or does not fit.
    """
    whose = "StyleGAN2's discriminator"
    given = {**kwargs}
    block, mapping, end = (
        Arguments(part, given.pop(part, None) or {})
        for part in ("block_kwargs", "mapping_kwargs", "epilogue_kwargs")
    )
    own = Arguments(whose, given)
    classes, channels = own.take("c_dim"), own.take("img_channels")
    size = resolution(own.take("img_resolution"))
    top = taken(own, TOP)
    own.take("num_fp16_res", None)
    own.done()
    block.take("fp16_channels_last", None)
    blocks = taken(block, BLOCKS, all_of_them=True)
    network = Discriminator(
        classes,
        channels,
        size,
        **top,
        **blocks,
        **taken(mapping, MAPPING, all_of_them=True),
        **taken(end, ENDS, all_of_them=True),
    )
    state = without_filters(state, blocks.get("taps", TAPS), whose)
    return filled(network, state, whose).eval()


def taken(
    arguments: Arguments, names: Mapping[str, str], *, all_of_them: bool = False
) -> dict[str, Any]:
    """Arguments that were given, by our names.

    Args:
        arguments: Where they are taken from.
        names: Official names, to ours.
        all_of_them: Whether to refuse others.
    """
    found = {ours: arguments.take(official, _ABSENT) for official, ours in names.items()}
    if all_of_them:
        arguments.done()
    return {name: value for name, value in found.items() if value is not _ABSENT}


def resolution(side: int) -> tuple[int, int]:
    """(height, width) of a square image.

    Raises:
        UserError: The side is no power of two from 8 on.
    """
    if side < 8 or side & (side - 1):
        raise UserError(f"img_resolution={side}: the official networks take powers of two from 8")
    return side, side


def without_filters(state: Mapping[str, Any], taps: Any, whose: str) -> dict[str, Any]:
    """Tensors without the filters, which follow from the arguments.

    Raises:
        UserError: A filter is not that of the arguments.
    """
    wanted, rest = fir(taps), dict[str, Any]()
    for name, value in state.items():
        if name.rpartition(".")[2] != "resample_filter":
            rest[name] = value
            continue
        given = torch.as_tensor(value).float()
        if given.shape != wanted.shape or not torch.allclose(given, wanted, atol=1e-6):
            raise UserError(
                f"'{name}' of {whose} is not the filter of its arguments: give resample_filter "
                "as it was built with"
            )
    return rest
