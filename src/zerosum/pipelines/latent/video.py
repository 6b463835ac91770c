"""Pictures in a row as a film: .mp4, .gif, or a folder of numbered pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from PIL import Image
from torch import Tensor

from zerosum.errors import UserError, require
from zerosum.files import atomic, whole_folder
from zerosum.modalities.images.pictures import save_stamped, to_pictures

LEAST = 256
"""Small pictures are enlarged by a whole factor until their longer side has so many pixels."""


def check_film(path: Path) -> None:
    """Refuse, before anything is made, a path that no film can be written to.

    Raises:
        UserError: Its suffix says another kind of file, or the library for .mp4 is missing.
    """
    if path.suffix.lower() not in ("", ".mp4", ".gif"):
        raise UserError(f"{path}: a film is .mp4, .gif, or a folder of pictures (no suffix)")
    if path.suffix.lower() == ".mp4":
        require("av", "video")


def write_video(frames: Tensor, path: Path, fps: int = 24) -> None:
    """Write a film.

    Args:
        frames: Pictures (n, C, H, W) in [-1, 1].
        path: FILE.mp4 (H.264), FILE.gif, or a folder for numbered PNGs.
        fps: Frames per second.

    Raises:
        UserError: Another suffix, or the library for .mp4 is missing.
    """
    check_film(path)
    pictures = to_pictures(frames)
    if not path.suffix:
        with whole_folder(path) as partial:
            for number, picture in enumerate(pictures):
                save_stamped(picture, partial / f"{number:05d}.png")
        return
    large = [_enlarged(picture) for picture in pictures]
    with atomic(path) as partial:
        if path.suffix.lower() == ".gif":
            first, *others = large
            first.save(
                partial, format="GIF", save_all=True, append_images=others, loop=0,
                duration=round(1000 / fps),
            )  # fmt: skip
        else:
            _mp4(large, partial, fps)


def _mp4(pictures: list[Image.Image], path: Path, fps: int) -> None:
    av = require("av", "video")
    with av.open(str(path), "w", format="mp4") as film:
        stream = film.add_stream("libx264", rate=Fraction(fps))
        # Half the colours for half the pixels: what all players can show needs even sides.
        stream.width, stream.height = (side - side % 2 for side in pictures[0].size)
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "16"}
        for picture in pictures:
            cut = picture.crop((0, 0, stream.width, stream.height))
            for packet in stream.encode(av.VideoFrame.from_image(cut)):
                film.mux(packet)
        for packet in stream.encode():
            film.mux(packet)


def _enlarged(picture: Image.Image) -> Image.Image:
    """The picture in RGB, alpha on white, small ones enlarged."""
    if picture.mode == "RGBA":
        paper = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(paper, picture)
    factor = max(1, -(-LEAST // max(picture.size)))
    size = (picture.width * factor, picture.height * factor)
    return picture.convert("RGB").resize(size, Image.Resampling.NEAREST)
