"""What the commands of `zerosum latent` share: spaces, seeds, and pictures written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from zerosum.limits import LARGEST_SEED

if TYPE_CHECKING:
    from torch import Tensor

    from zerosum.pipelines.latent import Space


def open_space(
    run: Path,
    space: Literal["auto", "z", "w"],
    truncation: float,
    label: str | None,
    device: str,
    module: str | None,
) -> Space:
    from zerosum.pipelines.latent import Space

    given = {} if label is None else {"label": label}
    return Space.load(
        run, space, truncation=truncation, condition={**given}, device=device, module=module
    )


def check_out(out: Path, *, film: bool = False) -> None:
    """Refuse, before anything is made, a path that cannot be written."""
    from zerosum.errors import UserError
    from zerosum.files import must_be_file
    from zerosum.pipelines.latent.video import check_film

    if film:
        check_film(out)
        return
    if out.suffix.lower() != ".png":
        raise UserError(f"{out}: a sheet is a .png file")
    must_be_file(out, "--out")


def write_pictures(pictures: Tensor, out: Path, fps: int = 24, *, columns: int) -> None:
    from zerosum.files import atomic
    from zerosum.modalities.images.pictures import grid, sheet_side
    from zerosum.pipelines.latent import write_video

    if out.suffix.lower() != ".png":
        write_video(pictures, out, fps)
        print(f"{len(pictures)} frames written to {out}")
        return
    sheet = grid(pictures, columns, side=sheet_side(pictures, columns), gap=2)
    with atomic(out) as partial:
        sheet.save(partial, format="PNG")
    print(f"{len(pictures)} pictures written to {out}")


def seeds_of(words: str) -> list[int]:
    """Seeds of words such as `0-7` or `3,5,12`."""
    from zerosum.errors import UserError

    found: list[int] = []
    for word in words.replace(" ", "").split(","):
        read = re.fullmatch(r"(\d{1,20})(?:-(\d{1,20}))?", word, re.ASCII)
        if read is None:
            raise UserError(f"'{word}' is no seed: give seeds such as 0-7 or 3,5,12")
        ends = int(read[1]), int(read[2] or read[1])
        if ends[1] < ends[0] or ends[1] - ends[0] > 10_000 or ends[1] > LARGEST_SEED:
            raise UserError(f"{word} are no seeds: give the smaller first, at most 10,000")
        found += range(ends[0], ends[1] + 1)
    return found


def numbers_of(words: str) -> list[float]:
    """Numbers of words such as `-3,0,3`."""
    import math

    from zerosum.errors import UserError

    try:
        found = [float(word) for word in words.split(",")]
    except ValueError:
        found = [math.nan]
    if not all(math.isfinite(one) for one in found):
        raise UserError(f"'{words}' are no numbers: give some such as -3,0,3")
    return found
