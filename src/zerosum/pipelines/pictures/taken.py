"""A picture as a user gave it: what a network sees of it, and how its answer is given back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from zerosum.data.pixels import over_white, plain
from zerosum.errors import UserError
from zerosum.files import atomic
from zerosum.modalities.images.pictures import save_stamped, to_pictures

GREYS = ("L", "LA")
LOSSY = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
WRITTEN = (".png", *LOSSY)
"""Suffixes of pictures that are written."""


@dataclass(frozen=True)
class TakenPicture:
    """A picture that was read.

    Attributes:
        name: What messages call it.
        colour: uint8 pixels (C, H, W), grey or RGB, upright.
        alpha: How opaque each pixel is, uint8 (H, W); None where all are.
        profile: Its ICC profile, which its answer keeps; None where it has none.
        notes: What was changed on the way in, in words.
    """

    name: str
    colour: Tensor
    alpha: Tensor | None = None
    profile: bytes | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def grey(self) -> bool:
        return len(self.colour) == 1

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.colour.shape[1], self.colour.shape[2]

    def seen(self, channels: int) -> Tensor:
        """What a network of so many channels sees: (1, channels, H, W) in [-1, 1].

        Raises:
            UserError: Neither grey nor RGB is asked for.
        """
        pixels = self.colour.float() / 127.5 - 1
        if channels == len(pixels):
            return pixels[None]
        if channels == 3:
            return pixels.expand(3, -1, -1)[None]
        if channels == 1:  # ITU-R 601, as PIL's
            weights = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)
            return (pixels * weights).sum(0)[None, None]
        raise UserError(f"a model of {channels} channels cannot be given a picture of 1 or 3")

    def answered(self, made: Tensor, *, keep_grey: bool) -> Image.Image:
        """An answer (1, C, h, w) in [-1, 1] as a picture, with this one's alpha, resized.

        Args:
            made: What the network made.
            keep_grey: Whether a grey picture has a grey answer.
        """
        (picture,) = to_pictures(made[:, :3] if made.shape[1] > 3 else made)
        if keep_grey and self.grey:
            picture = picture.convert("L")
        if self.alpha is not None:
            alpha = Image.fromarray(self.alpha.numpy())
            if alpha.size != picture.size:
                alpha = alpha.resize(picture.size, Image.Resampling.BICUBIC)
            picture.putalpha(alpha)
        return picture


def take(path: Path) -> TakenPicture:
    """Read a picture file: upright, 8 bits a channel, colour apart from alpha.

    Raises:
        UserError: It is no picture, or damaged.
    """
    try:
        with Image.open(path) as opened:
            deep = _is_deep(opened)
            opened.load()
            profile = opened.info.get("icc_profile")
            frames = getattr(opened, "n_frames", 1)
            turned = opened.getexif().get(0x0112, 1) not in (0, 1)
            picture = plain(opened)
    except FileNotFoundError as error:
        raise UserError(f"{path} is not there") from error
    except Exception as error:  # decoders raise a dozen unrelated types on damaged files
        raise UserError(f"{path} cannot be read as a picture ({error})") from error
    notes = [
        *(["more than 8 bits a channel are read as 8"] if deep else []),
        *([f"the first of its {frames} frames is taken"] if frames > 1 else []),
        *(["turned upright"] if turned else []),
    ]
    return taken(picture, path.name, profile, tuple(notes))


def taken(
    picture: Image.Image,
    name: str = "the picture",
    profile: bytes | None = None,
    notes: tuple[str, ...] = (),
) -> TakenPicture:
    """A picture in memory, as `take` gives one of a file."""
    picture = plain(picture)
    bands = np.atleast_3d(np.array(picture))
    pixels = torch.from_numpy(bands)
    pixels = pixels.permute(2, 0, 1).contiguous()
    has_alpha = picture.mode in ("LA", "RGBA")
    alpha = pixels[-1].clone() if has_alpha and bool((pixels[-1] < 255).any()) else None
    colour = pixels[:-1] if has_alpha else pixels
    return TakenPicture(name, colour.clone(), alpha, profile, notes)


def _is_deep(picture: Image.Image) -> bool:
    """Whether a picture that is opened, not yet decoded, has more than 8 bits a channel."""
    decoders = getattr(picture, "tile", ())  # colours of 16 bits are told by these alone
    return picture.mode.startswith(("I", "F")) or any(";16" in str(one) for one in decoders)


def fitting_profile(profile: bytes | None, mode: str) -> bytes | None:
    """An ICC profile where it describes pictures of a mode, else None.

    A profile names its colour space (ICC.1:2022, section 7.2.6). That of a grey or of a CMYK
    picture would make viewers refuse, or falsify, an RGB answer.
    """
    wanted = b"GRAY" if mode in GREYS else b"RGB "
    return profile if profile is not None and profile[16:20] == wanted else None


def save(picture: Image.Image, path: Path, profile: bytes | None = None) -> None:
    """Write a picture by its suffix, atomically, with a profile where it fits.

    What has no transparency in it (.jpg) is laid over white.

    Raises:
        UserError: No picture is written with that suffix, or the disk refuses it.
    """
    suffix = path.suffix.lower()
    if suffix not in WRITTEN:
        raise UserError(f"{path} is no picture that is written: end it in {', '.join(WRITTEN)}")
    profile = fitting_profile(profile, picture.mode)
    with atomic(path) as partial:
        if suffix == ".png":
            save_stamped(picture, partial, profile)
        else:
            flat = picture
            if suffix != ".webp" and picture.mode in ("LA", "RGBA"):
                flat = over_white(picture)
            flat.save(partial, format=LOSSY[suffix], quality=95, icc_profile=profile)
