"""StyleGAN3 in the vocabulary of its authors' PyTorch release: arguments and tensor names.

`num_fp16_res` says how the official code computes, not what: it is accepted and has no effect,
as half precision is the caller's autocast here. `conv_clamp` is honoured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from zerosum.convert.stylegan2 import AVERAGED, PRECISION, resolution, taken
from zerosum.convert.tensors import Arguments, filled
from zerosum.errors import UserError
from zerosum.nets.bands import Bands
from zerosum.nets.stylegan3 import Generator

BANDS = {
    "channel_base": "base",
    "channel_max": "most",
    "num_layers": "layers",
    "num_critical": "critical",
    "first_cutoff": "first_cutoff",
    "first_stopband": "first_stopband",
    "last_stopband_rel": "last_stopband",
    "margin_size": "margin",
}
"""Arguments that say which band each layer has, to ours."""
LAYERS = {
    "output_scale": "scale",
    "conv_kernel": "kernel",
    "filter_size": "taps",
    "lrelu_upsampling": "oversampling",
    "use_radial_filters": "radial",
    "conv_clamp": "clamp",
    "magnitude_ema_beta": "momentum",
}
"""Arguments of the layers, to ours."""


def generator(kwargs: Mapping[str, Any], state: Mapping[str, Any]) -> Generator:
    """The generator that official arguments and tensors make.

    Args:
        kwargs: The constructor's: z_dim, c_dim, w_dim, img_resolution, img_channels,
            mapping_kwargs, and the synthesis network's beside them or in synthesis_kwargs.
        state: Arrays or tensors by official name. Filters may be left out.

    Raises:
        UserError: An argument or a tensor is unknown, missing, or does not fit.
    """
    whose = "StyleGAN3's generator"
    given = {**kwargs}
    mapping = given.pop("mapping_kwargs", None) or {}
    given |= given.pop("synthesis_kwargs", None) or {}
    own = Arguments(whose, given)
    latent, classes, width = own.take("z_dim"), own.take("c_dim"), own.take("w_dim")
    size, channels = resolution(own.take("img_resolution")), own.take("img_channels")
    bands = Bands.of(size, channels, **taken(own, BANDS))
    layers = taken(own, LAYERS)
    for name in PRECISION:
        own.take(name, None)
    own.done()
    mapped = taken(Arguments("mapping_kwargs", mapping), AVERAGED, all_of_them=True)
    if "momentum" in mapped:
        mapped["average_momentum"] = mapped.pop("momentum")
    network = Generator(latent, classes, width, bands, **mapped, **layers)
    names, buffers = network.official_names(), dict(network.named_buffers())
    for name, ours in names.items():
        if name in state and name.endswith("_filter"):
            given = torch.as_tensor(state[name]).float()
            if given.shape != buffers[ours].shape or not torch.allclose(
                given, buffers[ours], atol=1e-5
            ):
                raise UserError(
                    f"'{name}' of {whose} is not the filter of its arguments: give the arguments "
                    "that it was built with"
                )
    return filled(network, state, whose).eval()
