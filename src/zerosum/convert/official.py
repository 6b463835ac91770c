"""Whose networks a file holds, and the settings of our systems that make the same ones.

What is decided here is read from arguments and from tensors' names and shapes; nothing of a file
is run (`zerosum.convert.pickles`).
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from zerosum.convert import biggan_files, r3gan_files, stylegan2, stylegan3
from zerosum.convert.pickles import StoredNetwork, read_pickle
from zerosum.convert.tensors import Arguments
from zerosum.errors import UserError

NVIDIA = (
    "NVIDIA Source Code License, of which the weights are part: non-commercial use only, for "
    "research or evaluation"
)
UNSTATED = (
    "none is stated by the authors of R3GAN, whose files build on code under the NVIDIA Source "
    "Code License (non-commercial): ask them before any use beyond research"
)
MIT = "MIT licence, as the code of BigGAN-PyTorch that made them (Andrew Brock)"
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True)
class OfficialNetworks:
    """Networks of an official file, built.

    Attributes:
        system: Our system that they are of.
        title: The code that wrote the file.
        settings: Of our system's model: all that decides its networks.
        generator: With its weights.
        discriminator: With its weights; None where the file has none.
        licence: Of the weights, in words.
        averaged: Whether the generator's weights are the averaged ones.
    """

    system: str
    title: str
    settings: Mapping[str, Any]
    generator: nn.Module
    discriminator: nn.Module | None
    licence: str
    averaged: bool


def read_official(path: Path) -> OfficialNetworks:
    """The networks of an official file.

    Args:
        path: A `.pkl` of StyleGAN2-ADA, StyleGAN3 or R3GAN, or a `.pth` of BigGAN-PyTorch's
            generator; its discriminator is read too where it lies beside it.

    Raises:
        UserError: It cannot be read, holds what nobody knows, or networks that our systems
            cannot have; the message says which.
    """
    if path.is_dir():
        raise UserError(f"{path} is a folder: name the .pkl in it")
    if not path.is_file():
        raise UserError(f"there is no file {path}: name an official .pkl")
    try:
        return recognised(read_pickle(path) if _is_pickle(path) else _archive(path))
    except UserError as error:
        text = str(error)
        raise UserError(text if str(path) in text else f"{path}: {text}") from error


def recognised(networks: Mapping[str, StoredNetwork]) -> OfficialNetworks:
    """The networks that a file named, built.

    Args:
        networks: By the names that they have in the file: `G_ema`, `G`, `D`; one alone has none.

    Raises:
        UserError: No generator is among them, or none that is known here.
    """
    names = [name for name in ("G_ema", "G", "") if name in networks]
    if not names:
        raise UserError(f"holds no generator, but {', '.join(networks)}")
    generator, critic = networks[names[0]], networks.get("D")
    for one in filter(None, (generator, critic)):
        _plausible(one)
    for marks, build in _KINDS:
        if marks(generator.tensors):
            try:
                return build(generator, critic, names[0] != "G")
            except _SENSELESS as error:
                said = str(error).split("\n")[0]
                raise UserError(
                    f"has arguments or tensors that make no network: {said}"
                ) from error
    some = ", ".join(list(generator.tensors)[:3])
    raise UserError(
        f"holds a '{generator.kind}' that is no generator of StyleGAN2-ADA, StyleGAN3, R3GAN "
        f"or BigGAN (its tensors begin with {some})"
    )


def _plausible(stored: StoredNetwork) -> None:
    """Refuse arguments that the tensors cannot have, before a network of that size is built.

    Raises:
        UserError: A number is larger than anything in the file says.
    """
    longest = max((n for value in stored.tensors.values() for n in value.shape), default=0)
    usual = max(longest, len(stored.tensors), 32)
    limits = {"img_resolution": 4096, "channel_base": 2**20, "channel_max": max(longest, 1024)}
    for name, value in _flat(stored.kwargs).items():
        limit = limits.get(name.rpartition(".")[2], usual)
        if isinstance(value, int) and not 0 <= value <= limit:
            raise UserError(
                f"says {name}={value}, which its tensors cannot be: they allow 0 to {limit}"
            )


# -- StyleGAN2 and 3 -----------------------------------------------------------------------

STYLES = {"z_dim": "latent", "w_dim": "style", "img_channels": "channels"}
GENERATOR2 = {
    **STYLES,
    "mapping_kwargs.num_layers": "layers",
    "mapping_kwargs.w_avg_beta": "momentum",
    "channel_base": "base",
    "channel_max": "most",
    "architecture": "architecture",
    "use_noise": "noise",
    "conv_clamp": "clamp",
}
"""Official arguments, by our settings; the rest must be as the official defaults are."""
CRITIC2 = {
    "channel_base": "base",
    "channel_max": "most",
    "conv_clamp": "clamp",
    "architecture": "critic_architecture",
    "epilogue_kwargs.mbstd_group_size": "group",
    "block_kwargs.freeze_layers": "freeze",
    "img_channels": "channels",
}
GENERATOR3 = {
    **STYLES,
    "mapping_kwargs.num_layers": "mapping_layers",
    "num_layers": "layers",
    "margin_size": "margin",
    "magnitude_ema_beta": "momentum",
    "conv_clamp": "clamp",
}
CRITIC3 = {name: ours for name, ours in CRITIC2.items() if ours not in ("freeze",)}
FIXED: dict[str, Any] = {
    "mapping_kwargs.embed_features": None,
    "mapping_kwargs.layer_features": None,
    "mapping_kwargs.activation": "lrelu",
    "mapping_kwargs.lr_multiplier": 0.01,
    "epilogue_kwargs.mbstd_num_channels": 1,
    "epilogue_kwargs.activation": "lrelu",
    "block_kwargs.activation": "lrelu",
    "cmap_dim": None,
    "resample_filter": [1, 3, 3, 1],
    "block_kwargs.resample_filter": [1, 3, 3, 1],
    "kernel_size": 3,
    "activation": "lrelu",
}
"""Official arguments that our systems have no setting for, with their defaults."""
FIXED3: dict[str, Any] = {
    "num_critical": 2,
    "first_cutoff": 2,
    "first_stopband": 2**2.1,
    "last_stopband_rel": 2**0.3,
    "output_scale": 0.25,
    "filter_size": 6,
    "lrelu_upsampling": 2,
    "mapping_kwargs.lr_multiplier": 0.01,
    "mapping_kwargs.w_avg_beta": 0.998,
}
UNUSED = (*stylegan2.PRECISION, "block_kwargs.fp16_channels_last", "img_resolution", "c_dim")
_DEFAULT3 = {"base": 32768, "most": 512}


def _stylegan2(
    stored: StoredNetwork, critic: StoredNetwork | None, averaged: bool
) -> OfficialNetworks:
    given = _flat(stored.kwargs, "synthesis_kwargs")
    settings = _sized(stored) | _settings(given, GENERATOR2, FIXED, "the generator")
    network = stylegan2.generator(stored.kwargs, stored.tensors)
    judge, more = _critic2(critic, settings, CRITIC2)
    return OfficialNetworks(
        "stylegan2", "StyleGAN2-ADA", settings | more, network, judge, NVIDIA, averaged
    )


def _stylegan3(
    stored: StoredNetwork, critic: StoredNetwork | None, averaged: bool
) -> OfficialNetworks:
    if "mapping.embed_proj.weight" in stored.tensors:
        raise UserError(
            "holds a conditional generator of StyleGAN-XL, whose classes are embedded by an "
            "image classifier's features: its mapping network is none of StyleGAN3's"
        )
    given = _flat(stored.kwargs, "synthesis_kwargs")
    turns = given.pop("conv_kernel", 3) == 1
    if given.pop("use_radial_filters", False) != turns:
        raise UserError("has a kernel of 1 without radial filters, or these without that: our "
                        "stylegan3 has both (rotation) or neither")  # fmt: skip
    wider = 2 if turns else 1
    widths = {
        ours: given.pop(official, _DEFAULT3[ours]) // wider
        for official, ours in (("channel_base", "base"), ("channel_max", "most"))
    }
    settings = _sized(stored) | widths | {"rotation": turns}
    settings |= _settings(given, GENERATOR3, FIXED | FIXED3, "the generator")
    network = stylegan3.generator(stored.kwargs, stored.tensors)
    judge, more = _critic2(critic, settings | {"clamp": settings.get("clamp", 256)}, CRITIC3)
    return OfficialNetworks(
        "stylegan3", "StyleGAN3", settings | more, network, judge, NVIDIA, averaged
    )


def _critic2(
    stored: StoredNetwork | None, settings: Mapping[str, Any], table: Mapping[str, str]
) -> tuple[nn.Module | None, dict[str, Any]]:
    """The discriminator of StyleGAN2, with the settings that it adds to the generator's."""
    if stored is None:
        return None, {}
    given = _flat(stored.kwargs)
    found = _settings(given, table, FIXED, "the discriminator")
    for name, value in found.items():
        if name in settings and settings[name] != value:
            raise UserError(
                f"its discriminator has {name}={value} and its generator {settings[name]}: our "
                "systems have one setting for both"
            )
    return stylegan2.discriminator(stored.kwargs, stored.tensors), found


def _sized(stored: StoredNetwork) -> dict[str, Any]:
    given = Arguments("the generator", stored.kwargs)
    side, classes = given.take("img_resolution"), given.take("c_dim")
    return {"size": (side, side), "classes": classes, "labels": classes > 0}


def _flat(kwargs: Mapping[str, Any], *merged: str) -> dict[str, Any]:
    """Arguments whose groups are merged with the others, or named `group.argument`."""
    found: dict[str, Any] = {}
    for name, value in kwargs.items():
        if name.endswith("_kwargs") and isinstance(value, Mapping | None):
            prefix = "" if name in merged else f"{name}."
            found |= {f"{prefix}{inner}": held for inner, held in (value or {}).items()}
        else:
            found[name] = value
    return found


def _settings(
    given: Mapping[str, Any], table: Mapping[str, str], fixed: Mapping[str, Any], whose: str
) -> dict[str, Any]:
    """Our settings of official arguments.

    Raises:
        UserError: An argument has a value that our systems cannot have.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name in table:
            found[table[name]] = value
        elif name in fixed and not _same(value, fixed[name]):
            raise UserError(
                f"{whose} has {name}={value!r}, and our system has {fixed[name]!r} without a "
                "choice: use it from Python with zerosum.convert"
            )
        elif name not in fixed and name not in UNUSED:
            raise UserError(f"{whose} was built with {name}={value!r}, which nobody knows here")
    return found


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(value, float) or isinstance(wanted, float):
        return abs(value - wanted) < 1e-6
    return list(value) == list(wanted) if isinstance(value, list | tuple) else value == wanted


# -- files without arguments ---------------------------------------------------------------


def _r3gan(
    stored: StoredNetwork, critic: StoredNetwork | None, averaged: bool
) -> OfficialNetworks:
    settings, network = r3gan_files.generator(stored.tensors)
    judge = None if critic is None else r3gan_files.discriminator(critic.tensors)
    return OfficialNetworks("r3gan", "R3GAN", settings, network, judge, UNSTATED, averaged)


def _biggan(
    stored: StoredNetwork, critic: StoredNetwork | None, averaged: bool
) -> OfficialNetworks:
    settings, network = biggan_files.generator(stored.tensors)
    judge = None
    if critic is not None:
        more, judge = biggan_files.discriminator(critic.tensors, settings)
        settings |= more
    return OfficialNetworks("biggan", "BigGAN-PyTorch", settings, network, judge, MIT, averaged)


_SENSELESS = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError)
"""What comes of arguments of other types than the official ones."""
_HEAD = re.compile(r"(G_ema|G)(.*)")
_Build = Callable[[StoredNetwork, StoredNetwork | None, bool], OfficialNetworks]
_KINDS: tuple[tuple[Callable[[Tensors], bool], _Build], ...] = (
    (lambda tensors: "synthesis.input.freqs" in tensors, _stylegan3),
    (lambda tensors: "synthesis.b4.const" in tensors, _stylegan2),
    (lambda tensors: "Model.MainLayers.0.Layers.0.Basis" in tensors, _r3gan),
    (lambda tensors: "output_layer.0.stored_mean" in tensors, _biggan),
)


# -- files of torch.save -------------------------------------------------------------------


def _is_pickle(path: Path) -> bool:
    return path.suffix.lower() not in (".pth", ".pt")


def _archive(path: Path) -> dict[str, StoredNetwork]:
    """The tensors of a `.pth`, and of the discriminator's beside it.

    BigGAN-PyTorch writes `G_ema.pth`, `G.pth` and `D.pth`, perhaps with words after the letters.
    """
    head, words = _HEAD.match(path.stem), path.suffix
    found = {"G" if head and head[1] == "G" else "": _tensors_of(path)}
    if head:
        beside = path.with_name(f"D{head[2]}{words}")
        if beside.is_file():
            found["D"] = _tensors_of(beside)
    return found


def _tensors_of(path: Path) -> StoredNetwork:
    """Tensors of a file of `torch.save`, which holds nothing else here."""
    try:
        tree = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        first = str(error).strip().split("\n")[0]
        raise UserError(f"{path} is no file of tensors alone: {first}") from error
    if isinstance(tree, dict) and "GAN" in tree:
        raise UserError(
            f"{path} is of lucidrains' stylegan2, whose layers are others than the paper's (no "
            "equalised rates, convolutions for styles): nothing here has its layout"
        )
    if not isinstance(tree, dict) or not all(isinstance(v, Tensor) for v in tree.values()):
        raise UserError(f"{path} holds no tensors by name, as an official .pth does")
    return StoredNetwork("state_dict", {}, tree)
